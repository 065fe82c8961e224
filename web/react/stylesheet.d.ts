/** For TypeScript, which wants to know what a stylesheet exports: nothing. */
export {};
