/**
 * The library of histograms, which is some fifty files. A process loads them when it counts the first duration, so they do not delay its
 * start. This file is CommonJS in both builds, because `require` loads a package at once, at any time.
 */
function histograms(): typeof import('hdr-histogram-js') {
  return require('hdr-histogram-js') as typeof import('hdr-histogram-js');
}

export = { histograms };
