import { formatArn } from '../../wire/arn.ts';

interface Place {
  readonly region: string;
  readonly accountId: string;
}

const service = 'elasticloadbalancing';

/** `…:loadbalancer/app/NAME/ID` */
export function loadBalancerArn({ region, accountId }: Place, name: string, id: string): string {
  return formatArn(service, region, accountId, `loadbalancer/app/${name}/${id}`);
}

/** `…:targetgroup/NAME/ID` */
export function targetGroupArn({ region, accountId }: Place, name: string, id: string): string {
  return formatArn(service, region, accountId, `targetgroup/${name}/${id}`);
}

/** `…:listener/app/NAME/LOAD-BALANCER/LISTENER` */
export function listenerArn(loadBalancer: string, id: string): string {
  return `${loadBalancer.replace(':loadbalancer/', ':listener/')}/${id}`;
}

/** `…:listener-rule/app/NAME/LOAD-BALANCER/LISTENER/RULE` */
export function ruleArn(listener: string, id: string): string {
  return `${listener.replace(':listener/', ':listener-rule/')}/${id}`;
}

/** What descriptions of a load balancer's interfaces say: `ELB app/NAME/ID`. */
export function interfaceDescription(loadBalancer: string): string {
  return `ELB ${loadBalancer.slice(loadBalancer.indexOf(':loadbalancer/') + ':loadbalancer/'.length)}`;
}
