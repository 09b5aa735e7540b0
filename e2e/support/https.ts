import type { OutgoingHttpHeaders } from 'node:http';
import { request } from 'node:https';
import type { TLSSocket } from 'node:tls';

export interface Answer {
  readonly status: number;
  readonly headers: NodeJS.Dict<string | string[]>;
  /** SHA-256 of the certificate that was presented. */
  readonly fingerprint: string;
}

/** One request over TLS to a server whose certificate is checked against `ca`; rejects when it does not fit the address or the authority. */
export function askTls(
  url: string,
  { ca, method = 'GET', headers = {}, body = '' }: { ca?: string; method?: string; headers?: OutgoingHttpHeaders; body?: string },
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const asked = request(url, { method, headers, agent: false, ...(ca === undefined ? {} : { ca }) });
    // Read at once: an upgraded connection is not the answer's any more.
    let fingerprint = '';
    asked.on('socket', (socket) => socket.on('secureConnect', () => (fingerprint = (socket as TLSSocket).getPeerCertificate().fingerprint256)));
    asked.on('response', (response) => {
      response.resume().on('end', () => resolve({ status: response.statusCode ?? 0, headers: response.headers, fingerprint }));
    });
    asked.on('upgrade', (response, socket) => {
      socket.destroy();
      resolve({ status: response.statusCode ?? 0, headers: response.headers, fingerprint });
    });
    asked.on('error', reject);
    asked.end(body);
  });
}
