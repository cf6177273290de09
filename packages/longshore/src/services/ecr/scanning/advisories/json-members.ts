export interface Member {
  /** The member's name; empty in an array. */
  readonly key: string;
  readonly text: string;
}

const mostBytes = 128 * 1024 * 1024;
const [quote, backslash, open, close, openList, closeList, comma, colon] = [34, 92, 123, 125, 91, 93, 44, 58];

/**
 * The members of one large JSON object or array, one by one as they are read, so that the whole is never in memory. Throws where the
 * text is no object or array, or ends early.
 */
export async function* jsonMembers(source: AsyncIterable<Uint8Array>): AsyncGenerator<Member> {
  let depth = 0;
  let inText = false;
  let escaped = false;
  let isList = false;
  let key = '';
  let parts: Buffer[] = [];
  let length = 0;
  let ended = false;
  let hasKey = false;

  const take = () => {
    const text = Buffer.concat(parts).toString('utf8').trim();
    parts = [];
    length = 0;
    return text;
  };
  for await (const piece of source) {
    const chunk = Buffer.from(piece.buffer, piece.byteOffset, piece.byteLength);
    let from = 0;
    const keep = (to: number) => {
      if (to > from) {
        parts.push(Buffer.from(chunk.subarray(from, to)));
        length += to - from;
        if (length > mostBytes) throw new Error(`a member of the JSON document is larger than ${mostBytes} bytes`);
      }
      from = to + 1;
    };
    for (let at = 0; at < chunk.length; at++) {
      const code = chunk[at];
      if (escaped) escaped = false;
      else if (inText) {
        if (code === backslash) escaped = true;
        else if (code === quote) inText = false;
      } else if (code === quote) inText = true;
      else if (code === open || code === openList) {
        if (depth === 0) {
          isList = code === openList;
          from = at + 1;
        }
        depth++;
      } else if (code === close || code === closeList) {
        depth--;
        if (depth === 0) {
          keep(at);
          const text = take();
          if (text !== '') yield { key, text };
          ended = true;
        }
      } else if (depth === 1 && code === colon && !isList && !hasKey) {
        keep(at);
        key = JSON.parse(take()) as string;
        hasKey = true;
      } else if (depth === 1 && code === comma) {
        keep(at);
        yield { key, text: take() };
        hasKey = false;
      }
    }
    if (depth > 0) keep(chunk.length);
  }
  if (!ended) throw new Error('the JSON document is cut off');
}
