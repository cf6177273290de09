import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';

/** Who signed a request. */
export interface Caller {
  readonly accountId: string;
  /** `arn:aws:iam::…:root`, `…:user/NAME`, or `arn:aws:sts::…:assumed-role/ROLE/SESSION`. */
  readonly arn: string;
  /** What `sts get-caller-identity` calls UserId. */
  readonly userId: string;
  readonly type: 'root' | 'user' | 'assumed-role' | 'anonymous';
  /** The role behind an assumed-role session. */
  readonly roleArn?: string;
  /** Tags of the user, role and session: what `aws:PrincipalTag/KEY` is asked of. */
  readonly principalTags?: Readonly<Record<string, string>>;
  readonly accessKeyId?: string;
}

/** One thing that a caller must be allowed to do. */
export interface Access {
  /** The IAM action, e.g. `ecs:RunTask`; where absent, the service's prefix and the operation's name. */
  readonly action?: string;
  /** The ARN acted on, or `*`. */
  readonly resource: string;
  /** Condition keys beside the global ones, e.g. `{'ecs:cluster': arn}`. */
  readonly context?: Readonly<Record<string, string | readonly string[]>>;
  /** JSON documents of the policies that the thing acted on carries itself; they grant and deny beside the caller's own. */
  readonly resourcePolicies?: readonly string[];
}

/** What every operation is told of the request that it answers. */
export interface RequestContext {
  readonly requestId: string;
  readonly caller: Caller;
  readonly region: string;
  /** The account that the request acts in: the caller's. */
  readonly accountId: string;
  readonly sourceIp: string;
  /** `http://HOST:PORT` as the client reached us: what URLs in answers start with. */
  readonly endpoint: string;
  /** Throws AccessDeniedException where the caller may not. For checks beyond an operation's `access`, e.g. iam:PassRole. */
  authorize(access: Access & { readonly action: string }): Promise<void>;
}

/** One operation of a service. The wire validates the input against the model first. */
export interface Operation<Input, Output> {
  /** What the caller must be allowed to do, asked before `handle` runs. All must hold. */
  access(input: Input, context: RequestContext): readonly Access[] | Promise<readonly Access[]>;
  /** Changes state and answers in the model's shape (Date for timestamps, Uint8Array for blobs); throws Fault. */
  handle(input: Input, context: RequestContext): Promise<Output>;
}

/** biome-ignore lint/suspicious/noExplicitAny: a table of operations with different shapes; each is typed where it is made. */
export type AnyOperation = Operation<any, any>;

/** One AWS service as the wire sees it. Operations of the model that are absent answer NotImplementedException. */
export interface ServiceDefinition {
  /** The folder's name and the model's file name: `ecs`, `elbv2`. */
  readonly name: string;
  /** What actions start with in policies: `ecs`, `elasticloadbalancing`. */
  readonly iamPrefix: string;
  readonly operations: Readonly<Record<string, AnyOperation>>;
  /** Paths that are not AWS operations: the registry's `/v2/`. */
  readonly routes?: readonly HttpRoute[];
  /** WebSocket upgrades: the agents' sessions. */
  readonly upgrades?: readonly UpgradeRoute[];
}

/** A path prefix that a service answers by itself, with its own authentication unless `signedBy` asks for the wire's. */
export interface HttpRoute {
  /** Matches a path that starts with it, e.g. `/v2/`. */
  readonly prefix: string;
  /**
   * `root`: the wire checks the request's signature first, and that the account's root made it; a body is not read for that and must be
   * signed as `UNSIGNED-PAYLOAD`. For what only the operator of this Longshore may ask, e.g. `/_longshore/events`.
   */
  readonly signedBy?: 'root';
  handle(request: IncomingMessage, response: ServerResponse): Promise<void>;
}

/** A path on which a service takes WebSocket upgrades. The request was SigV4-checked by the wire before. */
export interface UpgradeRoute {
  readonly path: string;
  handle(request: IncomingMessage, socket: Duplex, head: Buffer, caller: Caller): Promise<void>;
}

/** The secret behind an access key and whom it stands for. */
export interface Credential {
  readonly secretAccessKey: string;
  /** Present on temporary credentials: the request must carry the same. */
  readonly sessionToken?: string;
  /** Milliseconds since the epoch. */
  readonly expiresAt?: number;
  readonly caller: Caller;
}

/** What the wire needs of IAM. */
export interface Gatekeeper {
  credential(accessKeyId: string): Promise<Credential | undefined>;
  /** Throws Fault AccessDeniedException with AWS's wording where policies do not allow it. */
  authorize(caller: Caller, access: Access & { readonly action: string }, request: RequestFacts): Promise<void>;
}

/** Global condition keys' sources. */
export interface RequestFacts {
  readonly region: string;
  readonly sourceIp: string;
  readonly secureTransport: boolean;
  readonly userAgent: string;
}
