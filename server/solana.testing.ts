import { generateKeyPairSync, type KeyObject, sign } from 'node:crypto';

const ALPHABET = '123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz';

export function encodeBase58(bytes: Uint8Array): string {
  let value = BigInt(`0x0${Buffer.from(bytes).toString('hex')}`);
  let text = '';
  for (; value > 0n; value /= 58n) text = ALPHABET[Number(value % 58n)] + text;
  const zeros = bytes.findIndex((byte) => byte !== 0);
  return '1'.repeat(zeros < 0 ? bytes.length : zeros) + text;
}

/** A wallet made of one key, as a person would have it in a browser extension. */
export class TestWallet {
  readonly #key: KeyObject;
  readonly publicKey: Uint8Array;
  readonly address: string;

  constructor() {
    const { publicKey, privateKey } = generateKeyPairSync('ed25519');
    this.#key = privateKey;
    this.publicKey = Buffer.from(publicKey.export({ format: 'jwk' }).x ?? '', 'base64url');
    this.address = encodeBase58(this.publicKey);
  }

  /** 32 bytes. */
  get privateKey(): Uint8Array {
    return Buffer.from(this.#key.export({ format: 'jwk' }).d ?? '', 'base64url');
  }

  sign(message: Uint8Array): Uint8Array {
    return sign(null, message, this.#key);
  }

  /** The body of a sign-in over this text. */
  answer(nonce: string, text: string): { nonce: string; signedMessage: string; signature: string } {
    const message = Buffer.from(text, 'utf8');
    return { nonce, signedMessage: message.toString('base64url'), signature: Buffer.from(this.sign(message)).toString('base64url') };
  }
}
