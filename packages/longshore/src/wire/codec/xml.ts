import { DecodeProblem, maxDepth } from './problem.ts';

/** An element of a parsed document. Prefixes of names are dropped except on attributes. */
export interface XmlElement {
  readonly name: string;
  readonly attributes: Readonly<Record<string, string>>;
  readonly children: XmlElement[];
  text: string;
}

const escapes: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  '\r': '&#xD;',
};

/** Text for an element or a quoted attribute. Characters that XML 1.0 can't hold become U+FFFD. */
export function escapeXml(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are the characters that XML 1.0 forbids.
  const special = /[&<>"\r\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/g;
  return text.replace(special, (character) => escapes[character] ?? '\ufffd');
}

const named: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" };

function unescapeXml(text: string): string {
  if (!text.includes('&')) return text;
  return text.replace(/&([^;&]{0,12});?/g, (whole, name: string) => {
    if (named[name] !== undefined && whole.endsWith(';')) return named[name];
    const code = /^#x[0-9a-f]{1,6}$/i.test(name)
      ? Number.parseInt(name.slice(2), 16)
      : /^#\d{1,7}$/.test(name)
        ? Number(name.slice(1))
        : -1;
    if (code < 0 || code > 0x10ffff || !whole.endsWith(';')) throw new DecodeProblem('Unknown entity in XML');
    return String.fromCodePoint(code);
  });
}

const namePattern = /[^\s/>=<]+/y;
const attributePattern = /\s+([^\s/>=<]+)\s*=\s*(?:"([^"<]*)"|'([^'<]*)')/y;

/**
 * Parses a document: elements, attributes, text, CDATA, comments. No DTD, so no entities but XML's own five and character
 * references. Throws DecodeProblem where it is not well-formed.
 */
export function parseXml(source: string): XmlElement {
  let offset = 0;
  const open: XmlElement[] = [];
  let root: XmlElement | undefined;

  const skipPast = (end: string) => {
    const found = source.indexOf(end, offset);
    if (found < 0) throw new DecodeProblem('Unexpected end of XML');
    const inside = source.slice(offset, found);
    offset = found + end.length;
    return inside;
  };
  const addText = (text: string) => {
    const parent = open.at(-1);
    if (parent) parent.text += text;
    else if (text.replace(/^\ufeff/, '').trim() !== '')
      throw new DecodeProblem('Text outside of the XML document element');
  };

  const startTag = () => {
    namePattern.lastIndex = offset;
    const name = namePattern.exec(source)?.[0];
    if (!name) throw new DecodeProblem('Malformed XML tag');
    offset += name.length;
    const attributes: Record<string, string> = Object.create(null);
    for (;;) {
      attributePattern.lastIndex = offset;
      const found = attributePattern.exec(source);
      if (!found) break;
      attributes[found[1]!] = unescapeXml(found[2] ?? found[3] ?? '');
      offset = attributePattern.lastIndex;
    }
    const element: XmlElement = { name: name.slice(name.indexOf(':') + 1), attributes, children: [], text: '' };
    const parent = open.at(-1);
    if (parent) parent.children.push(element);
    else if (root) throw new DecodeProblem('More than one XML document element');
    else root = element;
    const tail = skipPast('>').trim();
    if (tail === '') {
      if (open.push(element) > maxDepth) throw new DecodeProblem(`The request nests deeper than ${maxDepth} levels`);
    } else if (tail !== '/') throw new DecodeProblem('Malformed XML tag');
  };

  while (offset < source.length) {
    const next = source.indexOf('<', offset);
    addText(unescapeXml(source.slice(offset, next < 0 ? undefined : next)));
    if (next < 0) break;
    offset = next + 1;
    if (source.startsWith('?', offset)) skipPast('?>');
    else if (source.startsWith('!--', offset)) skipPast('-->');
    else if (source.startsWith('![CDATA[', offset)) {
      offset += '![CDATA['.length;
      addText(skipPast(']]>'));
    } else if (source.startsWith('!', offset)) throw new DecodeProblem('XML document types are not taken');
    else if (source.startsWith('/', offset)) {
      offset += 1;
      const name = skipPast('>').trim();
      if (open.pop()?.name !== name.slice(name.indexOf(':') + 1)) throw new DecodeProblem('XML tags do not match');
    } else startTag();
  }
  if (open.length > 0 || !root) throw new DecodeProblem('Unexpected end of XML');
  return root;
}
