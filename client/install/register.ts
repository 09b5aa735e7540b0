/** After everything that the visitor waits for. Without a worker (plain http, a certificate warning, storage switched off) all works but opening offline. */
export function keepForOffline(): void {
  if (!import.meta.env.PROD || !('serviceWorker' in navigator)) return;
  addEventListener('load', () => void navigator.serviceWorker.register('/service-worker.js').catch(() => undefined), { once: true });
}
