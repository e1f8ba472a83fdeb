/** Flags of a browser that sends requests only to the tests. */
export const CHROMIUM_FLAGS = (
  '--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking ' +
  '--disable-component-update --disable-sync'
).split(' ');
