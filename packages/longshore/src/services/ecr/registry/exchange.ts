import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Caller } from '../../../wire/service.ts';
import type { Ecr } from '../parts.ts';
import type { RepositoryRow } from '../repositories.ts';

/** One request to the registry about one repository. */
export interface Exchange {
  readonly ecr: Ecr;
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly query: URLSearchParams;
  readonly repository: string;
  /** Undefined for a download by signed URL. */
  readonly caller: Caller | undefined;
  /**
   * Lets the request pass where policies allow one of the actions (`ecr:…`) on the repository and the repository exists.
   * Policies are asked first: who may not look, is not told what there is.
   */
  require(...actions: readonly [string, ...string[]]): Promise<RepositoryRow>;
  /** Lets the request pass where policies allow the action on the repository, whether it exists or not. */
  authorize(action: string): Promise<void>;
  /** The same as `require` of another repository, answered instead of thrown. */
  may(repository: string, action: string): Promise<boolean>;
}
