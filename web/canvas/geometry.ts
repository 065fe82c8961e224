/** Measures of what is drawn, in pixels at zoom 1. The server's drawings use the same. */

export const CARD_WIDTH = 216;
export const CARD_HEIGHT = 84;
export const GAP_X = 96;
export const GAP_Y = 36;
export const BODY_HEADER = 56;
export const BODY_PADDING = 28;
/** A container with nothing in it yet. */
export const EMPTY_BODY_HEIGHT = 168;

export interface Box {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}
