/** Where addresses of a program lie in its file. */
export interface ElfReader {
  offsetOf(address: number): number | undefined;
}

const loadable = 1;

/** Reads the program headers of an ELF file (System V ABI, "Program Header"); undefined where it is none. */
export function elfReader(file: Buffer): ElfReader | undefined {
  if (!isElf(file) || file.length < 64) return undefined;
  const wide = file[4] === 2;
  const little = file[5] === 1;
  const half = (at: number) => (little ? file.readUInt16LE(at) : file.readUInt16BE(at));
  const word = (at: number) => (little ? file.readUInt32LE(at) : file.readUInt32BE(at));
  const address = (at: number) => {
    if (!wide) return word(at);
    return Number(little ? file.readBigUInt64LE(at) : file.readBigUInt64BE(at));
  };
  const start = address(wide ? 32 : 28);
  const size = half(wide ? 54 : 42);
  const count = half(wide ? 56 : 44);
  const segments: { address: number; offset: number; size: number }[] = [];
  for (let index = 0; index < count; index++) {
    const at = start + index * size;
    if (size < (wide ? 56 : 32) || at + size > file.length) return undefined;
    if (word(at) !== loadable) continue;
    segments.push(
      wide
        ? { offset: address(at + 8), address: address(at + 16), size: address(at + 32) }
        : { offset: word(at + 4), address: word(at + 8), size: word(at + 16) },
    );
  }
  return {
    offsetOf(wanted) {
      const segment = segments.find((one) => wanted >= one.address && wanted < one.address + one.size);
      const offset = segment && wanted - segment.address + segment.offset;
      return offset !== undefined && offset < file.length ? offset : undefined;
    },
  };
}

export function isElf(start: Uint8Array): boolean {
  return start[0] === 0x7f && start[1] === 0x45 && start[2] === 0x4c && start[3] === 0x46;
}
