/** What both a browser and Node offer: all that this room may use of them. Only this room's own project includes this file. */
declare class TextEncoder {
  encode(text: string): Uint8Array<ArrayBuffer>;
}
declare function btoa(binary: string): string;
declare function atob(base64: string): string;
declare interface AbortSignal {
  readonly aborted: boolean;
}
declare interface GPUDevice {
  readonly label: string;
}
declare interface Blob {
  readonly size: number;
}
declare interface HTMLCanvasElement {
  readonly width: number;
}
