/** What the browser knows of the network. True does not promise that the coordinator answers. */
class Online {
  #yes = $state(navigator.onLine);

  constructor() {
    addEventListener('online', () => {
      this.#yes = true;
    });
    addEventListener('offline', () => {
      this.#yes = false;
    });
  }

  get yes(): boolean {
    return this.#yes;
  }
}

export const online = new Online();
