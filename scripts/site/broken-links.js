import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';

/** The links of a built site to files or places of pages that are not there. */
export function brokenLinks(folder) {
  const pages = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.html'));
  const ids = new Map();
  const idsOf = (file) => {
    if (!ids.has(file))
      ids.set(file, new Set(Array.from(readFileSync(file, 'utf8').matchAll(/\sid="([^"]+)"/g), ([, id]) => id)));
    return ids.get(file);
  };
  return pages.flatMap((page) => {
    const path = join(folder, page);
    const links = Array.from(readFileSync(path, 'utf8').matchAll(/\s(?:href|src)="([^"]+)"/g), ([, link]) => link);
    return links
      .filter((link) => !leadsSomewhere(folder, path, link, idsOf))
      .map((link) => ({ page: relative(folder, path), link }));
  });
}

function leadsSomewhere(folder, page, link, idsOf) {
  if (/^[a-z][\w+.-]*:/.test(link)) return true;
  const [, path = '', place] = /^([^#?]*)(?:\?[^#]*)?(?:#(.*))?$/.exec(link) ?? [];
  const file = path === '' ? page : resolve(dirname(page), decodeURIComponent(path));
  if (!file.startsWith(folder) || !existsSync(file)) return false;
  return !place || !file.endsWith('.html') || idsOf(file).has(decodeURIComponent(place));
}
