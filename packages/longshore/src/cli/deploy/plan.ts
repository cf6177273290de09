import type { AwsClient } from '../aws-client.ts';

/** What is deployed, as the command line says. */
export interface DeployRequest {
  /** Absolute path of the folder with the Dockerfile. */
  readonly folder: string;
  /** Of repository, service, load balancer and everything else that is made for it. */
  readonly name: string;
  readonly cluster: string;
  /** Undefined: as many as there are, or one. */
  readonly count: number | undefined;
  readonly cpu: string;
  readonly memory: string;
  /** The container's port; undefined: the one that the image exposes, or 80. */
  readonly port: number | undefined;
  readonly listenerPort: number;
  readonly healthPath: string;
  readonly environment: readonly { readonly name: string; readonly value: string }[];
  readonly buildArguments: readonly string[];
  readonly tag: string;
  readonly timeoutMs: number;
}

/** What the steps need and what they find out, in the order in which they do. */
export interface Deployment {
  readonly request: DeployRequest;
  readonly client: AwsClient;
  readonly region: string;
  /** Shows a line of what is going on. */
  tell(line: string): void;
}

/** What everything of an app is called; load balancers and target groups allow 32 letters, digits and hyphens. */
export function appName(text: string): string {
  return text
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^(internal-)+/, '')
    .slice(0, 32)
    .replace(/^-+|-+$/g, '');
}
