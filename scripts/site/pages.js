/** The groups of pages in the index of the guide, in its order: lines `**Group**`, and links to pages behind them. */
export function groupsOf(index) {
  const groups = new Map();
  let pages;
  for (const line of index.split('\n')) {
    const [, group] = /^\*\*(.+)\*\*$/.exec(line) ?? [];
    if (group) groups.set(group, (pages = []));
    for (const [, page] of line.matchAll(/\]\(([\w-]+\.md)\)/g)) pages?.push(page);
  }
  return groups;
}

/** The first heading of a page. */
export function titleOf(text) {
  return /^# (.+)$/m.exec(text)?.[1].replaceAll('`', '') ?? '';
}

/** A page with the head that typedoc reads. */
export function toPage(text, { title, group }) {
  return `---\ntitle: ${JSON.stringify(title)}\ngroup: ${JSON.stringify(group)}\n---\n${text}`;
}
