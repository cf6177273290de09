import { type FoundPackage, isPlausible } from '../inventory.ts';
import { elfReader } from './elf.ts';

const magic = Buffer.from('\xff Go buildinf:', 'latin1');
const alignment = 16;
const largest = 16 * 1024 * 1024;

/**
 * The modules that a Go binary was built from (Go's debug/buildinfo). Since Go 1.18 the text lies behind the mark, before that there are
 * pointers to it. Empty where the file is no Go binary, or was built without modules.
 */
export function parseGoBinary(file: Buffer): FoundPackage[] {
  for (let at = file.indexOf(magic); at >= 0; at = file.indexOf(magic, at + 1)) {
    if (at % alignment !== 0 || at + 32 > file.length) continue;
    const info = readInfo(file, at);
    if (info && /^(go|devel)/.test(info.version)) return modulesOf(info.version, info.modules);
  }
  return [];
}

function readInfo(file: Buffer, at: number): { version: string; modules: string } | undefined {
  const flags = file[at + 15] as number;
  if ((flags & 2) !== 0) {
    const version = readInline(file, at + 32);
    const modules = version && readInline(file, version.end);
    return version && { version: version.text, modules: unframed(modules?.text ?? '') };
  }
  const size = file[at + 14];
  if (size !== 4 && size !== 8) return undefined;
  const elf = elfReader(file);
  if (!elf) return undefined;
  const little = (flags & 1) === 0;
  const pointer = (offset: number) => readPointer(file, offset, size, little);
  const text = (offset: number): string | undefined => {
    const header = elf.offsetOf(pointer(offset));
    if (header === undefined) return undefined;
    const start = elf.offsetOf(pointer(header));
    const length = pointer(header + size);
    if (start === undefined || length > largest || start + length > file.length) return undefined;
    return file.toString('latin1', start, start + length);
  };
  const version = text(at + 16);
  return version === undefined ? undefined : { version, modules: unframed(text(at + 16 + size) ?? '') };
}

function readPointer(file: Buffer, offset: number, size: 4 | 8, little: boolean): number {
  if (offset + size > file.length) return Number.NaN;
  if (size === 4) return little ? file.readUInt32LE(offset) : file.readUInt32BE(offset);
  return Number(little ? file.readBigUInt64LE(offset) : file.readBigUInt64BE(offset));
}

/** A length as a varint, then so many bytes. */
function readInline(file: Buffer, start: number): { text: string; end: number } | undefined {
  let length = 0;
  let shift = 0;
  let at = start;
  for (;;) {
    const byte = file[at++];
    if (byte === undefined || shift > 28) return undefined;
    length += (byte & 0x7f) * 2 ** shift;
    if (byte < 0x80) break;
    shift += 7;
  }
  if (length > largest || at + length > file.length) return undefined;
  return { text: file.toString('latin1', at, at + length), end: at + length };
}

/** The linker puts sixteen bytes of mark before and after the text. */
function unframed(text: string): string {
  return text.length >= 33 && text.at(-17) === '\n' ? text.slice(16, -16) : '';
}

function modulesOf(version: string, text: string): FoundPackage[] {
  const release = /^go(\S+)/.exec(version)?.[1];
  const found: FoundPackage[] = release ? [{ kind: 'golang', name: 'stdlib', version: release }] : [];
  for (const line of text.split('\n')) {
    const [what, name, moduleVersion] = line.split('\t');
    if (what === '=>') found.pop();
    if ((what === 'mod' || what === 'dep' || what === '=>') && isPlausible(name, moduleVersion))
      found.push({ kind: 'golang', name: name as string, version: moduleVersion as string });
  }
  return found.filter((one) => one.version !== '(devel)');
}
