/** A request body that does not fit its operation's shapes. Each protocol answers it with an error code of its own. */
export class DecodeProblem extends Error {
  /** Where the protocol has a word of its own for this case, e.g. EC2's `UnknownParameter`. */
  readonly code: string | undefined;

  constructor(message: string, code?: string) {
    super(message);
    this.name = 'DecodeProblem';
    this.code = code;
  }
}

/** How deep values may nest: far more than any AWS model needs, far less than the stack holds. */
export const maxDepth = 100;
