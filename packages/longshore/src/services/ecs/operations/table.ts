import { fargateCluster } from '../../../protocol/fargate.ts';
import type { Access, Operation, RequestContext } from '../../../wire/service.ts';
import { placeOf } from '../lookups.ts';
import { clusterArn, type Place, toArn, toClusterArn } from '../names.ts';

/** One operation: what it needs leave for, and what it does. */
export function operation<Input, Output>(
  access: (input: Input, place: Place) => readonly Access[],
  handle: (input: Input, context: RequestContext) => Promise<Output>,
): Operation<Input, Output> {
  return { access: (input, context) => access(input, placeOf(context)), handle };
}

/** Leave for everything of a kind: actions that name no resource. */
export const anywhere = (): readonly Access[] => [{ resource: '*' }];

/** Leave for the cluster that a request names. */
export const onCluster = (input: { readonly cluster?: string | undefined }, place: Place): readonly Access[] => [
  { resource: toClusterArn(place, input.cluster) },
];

/** Leave for something in a cluster, with the condition key `ecs:cluster`. */
export function within(
  kind: 'task' | 'service' | 'container-instance',
  input: { readonly cluster?: string | undefined },
  names: readonly string[],
  place: Place,
): readonly Access[] {
  const cluster = toClusterArn(place, input.cluster);
  const name = cluster.slice(cluster.lastIndexOf('/') + 1);
  const resources = names.length > 0 ? names.map((given) => toArn(place, kind, name, given)) : ['*'];
  return resources.map((resource) => ({ resource, context: { 'ecs:cluster': cluster } }));
}

/** The cluster of the Fargate machines. */
export const hiddenCluster = (place: Place): string => clusterArn(place, fargateCluster);
