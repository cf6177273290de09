/** An element's text, or its children by name; children that are `member` or `item` make a list. */
export type XmlValue = string | readonly XmlValue[] | { readonly [name: string]: XmlValue };

const entities: Readonly<Record<string, string>> = { lt: '<', gt: '>', amp: '&', quot: '"', apos: "'" };

/**
 * Reads the answers of AWS's query protocols: elements, text, entities; attributes are passed over. Answers the root element's
 * content. An empty element is the empty text.
 */
export function parseXml(text: string): XmlValue {
  const stack: { name: string; children: [string, XmlValue][]; text: string }[] = [
    { name: '', children: [], text: '' },
  ];
  for (const [, declaration, closing, name, selfClosing, words] of text.matchAll(
    /(<[?!][^>]*>)|<(\/?)([\w:.-]+)[^>]*?(\/?)>|([^<]+)/g,
  )) {
    const top = stack.at(-1);
    if (!top) throw new Error('The answer is not well-formed XML.');
    if (declaration) continue;
    if (words !== undefined) top.text += words;
    else if (closing) {
      stack.pop();
      const parent = stack.at(-1);
      if (!parent || top.name !== name) throw new Error('The answer is not well-formed XML.');
      parent.children.push([top.name, contentOf(top)]);
    } else if (selfClosing) top.children.push([name as string, '']);
    else stack.push({ name: name as string, children: [], text: '' });
  }
  const root = stack[0]?.children[0];
  if (stack.length !== 1 || !root) throw new Error('The answer is not well-formed XML.');
  return root[1];
}

function contentOf({ children, text }: { children: [string, XmlValue][]; text: string }): XmlValue {
  if (children.length === 0) return decode(text.trim() === '' ? '' : text);
  if (children.every(([name]) => name === 'member' || name === 'item')) return children.map(([, value]) => value);
  return Object.fromEntries(children);
}

function decode(text: string): string {
  return text.replace(/&(?:#x([0-9a-f]+)|#(\d+)|(\w+));/gi, (whole, hex, decimal, name) => {
    if (hex || decimal) return String.fromCodePoint(Number.parseInt(hex ?? decimal, hex ? 16 : 10));
    return entities[name] ?? whole;
  });
}
