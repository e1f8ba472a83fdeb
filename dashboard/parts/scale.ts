/** By how much the font of the page is larger than usual: on a large screen, or by the settings of the browser. */
export function scaleOfFont(): number {
  return Number.parseFloat(getComputedStyle(document.documentElement).fontSize) / 16;
}
