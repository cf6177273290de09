/** Rows under headings, columns as wide as they need. Where a line would pass `width`, the widest column is cut with `…`, again and again. */
export function table(headings: readonly string[], rows: readonly (readonly string[])[], width: number): string[] {
  const all = [headings, ...rows];
  const widths = headings.map((_, column) => Math.max(...all.map((row) => (row[column] ?? '').length)));
  const gap = 2;
  const total = () => widths.reduce((sum, each) => sum + each, gap * (widths.length - 1));
  while (total() > width) {
    const widest = Math.max(...widths);
    if (widest <= 6) break;
    widths[widths.indexOf(widest)] = widest - 1;
  }
  const cell = (text: string, column: number) => {
    const room = widths[column] as number;
    return (text.length > room ? `${text.slice(0, room - 1)}…` : text).padEnd(room);
  };
  return all.map((row) =>
    headings
      .map((_, column) => cell(row[column] ?? '', column))
      .join(' '.repeat(gap))
      .trimEnd(),
  );
}

/** Time since `from` until `now`, both in milliseconds, in the largest unit that says enough: `42 s`, `5 min`, `3 h`, `2 d`. */
export function age(from: number, now: number): string {
  const seconds = Math.max(0, Math.round((now - from) / 1000));
  if (seconds < 120) return `${seconds} s`;
  if (seconds < 7200) return `${Math.floor(seconds / 60)} min`;
  if (seconds < 172_800) return `${Math.floor(seconds / 3600)} h`;
  return `${Math.floor(seconds / 86_400)} d`;
}
