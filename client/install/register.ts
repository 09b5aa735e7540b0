/**
 * After everything that the visitor waits for, and not under `npm run dev`, whose files are not hashed. Without a worker (plain http, a certificate
 * warning, storage switched off) all works but opening offline.
 */
export function keepForOffline(): void {
  if (import.meta.hot || !('serviceWorker' in navigator)) return;
  const register = (): void => void navigator.serviceWorker.register('/service-worker.js').catch(() => undefined);
  if (document.readyState === 'complete') register();
  else addEventListener('load', register, { once: true });
}
