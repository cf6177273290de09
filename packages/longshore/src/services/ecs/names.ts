import { formatArn, parseArn } from '../../wire/arn.ts';
import { fault } from './faults.ts';

/**
 * ARNs of ECS (https://docs.aws.amazon.com/AmazonECS/latest/developerguide/ecs-account-settings.html#ecs-resource-ids):
 * the long format, in which a cluster's name stands in the ARNs of what is in it.
 */
export interface Place {
  readonly region: string;
  readonly accountId: string;
}

const ecsArn = (place: Place, resource: string) => formatArn('ecs', place.region, place.accountId, resource);

export const clusterArn = (place: Place, name: string) => ecsArn(place, `cluster/${name}`);
export const taskArn = (place: Place, cluster: string, id: string) => ecsArn(place, `task/${cluster}/${id}`);
export const serviceArn = (place: Place, cluster: string, name: string) => ecsArn(place, `service/${cluster}/${name}`);
export const instanceArn = (place: Place, cluster: string, id: string) =>
  ecsArn(place, `container-instance/${cluster}/${id}`);
export const taskDefinitionArn = (place: Place, family: string, revision: number) =>
  ecsArn(place, `task-definition/${family}:${revision}`);
export const attachmentArn = (place: Place, id: string) => ecsArn(place, `attachment/${id}`);
export const containerArn = (place: Place, cluster: string, task: string, id: string) =>
  ecsArn(place, `container/${cluster}/${task}/${id}`);
export const serviceDeploymentArn = (place: Place, cluster: string, service: string, id: string) =>
  ecsArn(place, `service-deployment/${cluster}/${service}/${id}`);
export const serviceRevisionArn = (place: Place, cluster: string, service: string, id: string) =>
  ecsArn(place, `service-revision/${cluster}/${service}/${id}`);

/** The last part of an ARN's resource, or the text itself where it is none: an id or a name. */
export const lastPart = (arn: string): string => arn.slice(arn.lastIndexOf('/') + 1);

/** The cluster's name in the ARN of something that is in one. */
export const clusterNameOf = (arn: string): string => parseArn(arn)?.resource.split('/')[1] ?? '';

/** The ARN of a cluster given by name, by ARN, or not at all (then `default`). Throws InvalidParameterException. */
export function toClusterArn(place: Place, given: string | undefined): string {
  if (given === undefined || given === '') return clusterArn(place, 'default');
  if (!given.startsWith('arn:')) {
    if (!/^[A-Za-z0-9_-]{1,255}$/.test(given))
      throw fault(
        'InvalidParameterException',
        'Invalid identifier: Identifier is for cluster. Your identifier is invalid.',
      );
    return clusterArn(place, given);
  }
  const arn = parseArn(given);
  if (arn?.service !== 'ecs' || !arn.resource.startsWith('cluster/'))
    throw fault(
      'InvalidParameterException',
      `Invalid identifier: Identifier is for ${arn?.resource.split('/')[0] ?? 'unknown'}. Your identifier is invalid.`,
    );
  return given;
}

/**
 * The ARN of a task, service or container instance given by id or ARN. A short ARN (without the cluster's name) is
 * completed. Throws InvalidParameterException for an ARN of something else.
 */
export function toArn(
  place: Place,
  kind: 'task' | 'service' | 'container-instance',
  cluster: string,
  given: string,
): string {
  if (!given.startsWith('arn:')) return ecsArn(place, `${kind}/${cluster}/${given}`);
  const arn = parseArn(given);
  const [type, ...rest] = arn?.resource.split('/') ?? [];
  if (arn?.service !== 'ecs' || type !== kind || rest.length === 0)
    throw fault(
      'InvalidParameterException',
      `Invalid identifier: Identifier is for ${type ?? 'unknown'}. Your type is ${kind}`,
    );
  return rest.length === 1 ? ecsArn(arn, `${kind}/${cluster}/${rest[0]}`) : given;
}
