export interface LogEvent {
  readonly timestamp: number;
  readonly message: string;
}

/** CloudWatch Logs' limits (PutLogEvents): bytes of a batch, each event counting 26 more than its text; events; bytes of one event. */
const mostBytes = 1_048_576;
const overhead = 26;
const mostEvents = 10_000;
const mostEventBytes = 256 * 1024 - overhead;

/**
 * Cuts a stream of bytes into log events, a line each, and gathers them up to what one PutLogEvents takes. Pure but for its own
 * state; `consumed` says how many bytes of the stream the batch so far covers, so that a reader can begin there again.
 */
export class Batch {
  #events: LogEvent[] = [];
  #bytes = 0;
  #rest: Buffer = Buffer.alloc(0);
  #consumed = 0;

  /** Takes bytes as long as there is room; answers how many of them it took (all, unless the batch is full). */
  add(data: Buffer, timestamp: number): number {
    const before = this.#rest.length;
    const text = before > 0 ? Buffer.concat([this.#rest, data]) : data;
    let start = 0;
    while (start < text.length) {
      const newline = text.indexOf(10, start);
      const whole = newline >= 0 && newline - start <= mostEventBytes;
      if (!whole && text.length - start <= mostEventBytes) break;
      const end = whole ? newline : start + characterBoundary(text.subarray(start, start + mostEventBytes));
      if (!this.#put(text.subarray(start, end), timestamp)) {
        this.#rest = Buffer.alloc(0);
        this.#consumed += start;
        return start - before;
      }
      start = whole ? end + 1 : end;
    }
    this.#consumed += start;
    this.#rest = Buffer.from(text.subarray(start));
    return data.length;
  }

  /** Makes an event of a last line without an end. */
  finish(timestamp: number): void {
    if (this.#rest.length === 0 || !this.#put(this.#rest, timestamp)) return;
    this.#consumed += this.#rest.length;
    this.#rest = Buffer.alloc(0);
  }

  /** Whether the next line would not fit. */
  full = false;

  get events(): readonly LogEvent[] {
    return this.#events;
  }

  /** Bytes of the stream that the batch's events cover. */
  get consumed(): number {
    return this.#consumed;
  }

  /** Bytes held back because their line has no end yet. */
  get held(): number {
    return this.#rest.length;
  }

  #put(line: Buffer, timestamp: number): boolean {
    const text = line.at(-1) === 13 ? line.subarray(0, -1) : line;
    // CloudWatch takes no empty event; Docker's driver drops empty lines too.
    if (text.length === 0) return true;
    const message = text.toString('utf8');
    const size = Buffer.byteLength(message) + overhead;
    if (this.#bytes + size > mostBytes || this.#events.length === mostEvents) {
      this.full = true;
      return false;
    }
    this.#events.push({ timestamp, message });
    this.#bytes += size;
    return true;
  }
}

/** The largest length at which `bytes` can be cut without splitting a UTF-8 character. */
function characterBoundary(bytes: Buffer): number {
  let end = bytes.length;
  while (end > bytes.length - 4 && end > 0 && (bytes[end - 1]! & 0xc0) === 0x80) end--;
  const lead = bytes[end - 1] ?? 0;
  const length = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : lead >= 0xc0 ? 2 : 1;
  return end - 1 + length <= bytes.length ? bytes.length : end - 1;
}
