import type { Target } from '@aws-sdk/client-eventbridge';
import { parseArn } from '../../../wire/arn.ts';

/** What an event can be delivered to. */
export type Destination =
  | { readonly kind: 'log-group'; readonly group: string }
  | { readonly kind: 'webhook'; readonly url: URL }
  | { readonly kind: 'ecs'; readonly clusterArn: string };

/**
 * What a target's ARN names; undefined where it is nothing that Longshore delivers to. A webhook is
 * `arn:aws:events:REGION:ACCOUNT:webhook/URL`: AWS has no such ARN; there it takes a connection and an API destination.
 */
export function destinationOf({ Arn: text = '' }: Pick<Target, 'Arn'>): Destination | undefined {
  const arn = parseArn(text);
  if (!arn) return undefined;
  const group = /^log-group:([^:]+)(?::\*)?$/.exec(arn.resource)?.[1];
  if (arn.service === 'logs' && group !== undefined) return { kind: 'log-group', group };
  if (arn.service === 'ecs' && arn.resource.startsWith('cluster/')) return { kind: 'ecs', clusterArn: text };
  if (arn.service === 'events' && arn.resource.startsWith('webhook/')) {
    const url = URL.parse(arn.resource.slice('webhook/'.length));
    if (url && (url.protocol === 'http:' || url.protocol === 'https:')) return { kind: 'webhook', url };
  }
  return undefined;
}

export const isArn = (text: string): boolean => {
  const arn = parseArn(text);
  return arn !== undefined && arn.service !== '' && arn.resource !== '';
};
