export const themes = ['system', 'light', 'dark'] as const;
export type Theme = (typeof themes)[number];

const KEY = 'tessera.theme';

function stored(): Theme {
  try {
    const value = localStorage.getItem(KEY);
    return themes.find((theme) => theme === value) ?? 'system';
  } catch {
    return 'system';
  }
}

class ThemeChoice {
  #value = $state<Theme>(stored());

  get value(): Theme {
    return this.#value;
  }

  set(theme: Theme): void {
    this.#value = theme;
    try {
      localStorage.setItem(KEY, theme);
    } catch {
      // Storage may be forbidden: the choice then lasts until the page is closed.
    }
    this.apply();
  }

  apply(): void {
    if (this.#value === 'system') delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = this.#value;
  }
}

export const theme = new ThemeChoice();
