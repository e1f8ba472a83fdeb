import type { JSX } from 'preact';

/** The picture of `icon.svg` as a part of the page: an image of its own would be a document that the browser loads and draws for itself. */
export function Logo(): JSX.Element {
  return (
    <svg class="logo" viewBox="0 0 44 44" aria-hidden="true">
      <rect width="44" height="44" rx="11" fill="#4338ca" />
      <g fill="none" stroke="#fff" stroke-width="4" stroke-linecap="round">
        <path d="M11 14h22" opacity=".5" />
        <path d="M11 22h15" />
        <path d="M11 30h8" />
        <path d="m25 30 4 4 7-8" stroke-linejoin="round" />
      </g>
    </svg>
  );
}
