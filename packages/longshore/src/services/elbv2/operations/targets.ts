import { BlockList, isIPv4 } from 'node:net';
import type {
  DeregisterTargetsInput,
  DeregisterTargetsOutput,
  DescribeTargetHealthInput,
  DescribeTargetHealthOutput,
  RegisterTargetsInput,
  RegisterTargetsOutput,
  TargetDescription,
  TargetHealthDescription,
} from '@aws-sdk/client-elastic-load-balancing-v2';
import { fault, invalid } from '../errors.ts';
import { type Elbv2Parts, type Operations, operation } from '../operation.ts';
import type { TargetGroupRow } from '../tables.ts';
import { deregisterTargets, registerTargets, takeTargetGroup, targetsWithHealth } from '../targets/targets.ts';

/** Beside the VPC's own, addresses that AWS lets be targets (RegisterTargets: RFC 1918 and RFC 6598). */
const privateRanges = ['10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16', '100.64.0.0/10'];

/** Targets: registering them, taking them out, and how they are. */
export function targetOperations(parts: Elbv2Parts): Operations {
  const { store } = parts;
  const arnOf = (input: { TargetGroupArn?: string | undefined }) => [input.TargetGroupArn];

  const register = async (input: RegisterTargetsInput): Promise<RegisterTargetsOutput> => {
    const group = await takeTargetGroup(store.db, input.TargetGroupArn);
    const vpcRange = (await parts.ec2.vpc(group.vpcId))?.cidrBlock;
    const targets = (input.Targets ?? []).map((target) => {
      const key = keyOf(target, group);
      const zone = target.AvailabilityZone;
      if (inRange(key.id, vpcRange)) return { ...key, zone: zone === 'all' ? undefined : zone };
      if (zone !== 'all' || !privateRanges.some((range) => inRange(key.id, range))) {
        throw fault('InvalidTarget', `The IP address '${key.id}' is not within a valid range for VPC '${group.vpcId}'`);
      }
      return { ...key, zone };
    });
    if (targets.length === 0) throw invalid('At least one target must be specified');
    await store.transaction((tx) => registerTargets(tx, group.arn, targets));
    return {};
  };

  const deregister = async (input: DeregisterTargetsInput): Promise<DeregisterTargetsOutput> => {
    const group = await takeTargetGroup(store.db, input.TargetGroupArn);
    const registered = await targetsWithHealth(store.db, group.arn);
    const targets = (input.Targets ?? []).flatMap(({ Id = '', Port }) =>
      registered.filter(({ id, port }) => id === Id && (Port === undefined || port === Port)),
    );
    await store.transaction((tx) => deregisterTargets(tx, parts, group.arn, targets));
    return {};
  };

  const describeHealth = async (input: DescribeTargetHealthInput): Promise<DescribeTargetHealthOutput> => {
    const group = await takeTargetGroup(store.db, input.TargetGroupArn);
    const checkPort: string = JSON.parse(group.healthCheck).port;
    const targets = await targetsWithHealth(store.db, group.arn);
    const views = targets.map(
      ({ id, port, zone, state, reason, description }): TargetHealthDescription => ({
        Target: { Id: id, Port: port, ...(zone === null ? {} : { AvailabilityZone: zone }) },
        HealthCheckPort: checkPort === 'traffic-port' ? String(port) : checkPort,
        TargetHealth: {
          State: state,
          ...(reason === undefined
            ? {}
            : { Reason: reason as NonNullable<TargetHealthDescription['TargetHealth']>['Reason'] }),
          ...(description === undefined ? {} : { Description: description }),
        },
      }),
    );
    if (!input.Targets?.length) return { TargetHealthDescriptions: views };
    return {
      TargetHealthDescriptions: input.Targets.map((target) => {
        const { id, port } = keyOf(target, group);
        return views.find(({ Target }) => Target?.Id === id && Target.Port === port) ?? notRegistered(id, port);
      }),
    };
  };

  return {
    RegisterTargets: operation(register, arnOf),
    DeregisterTargets: operation(deregister, arnOf),
    DescribeTargetHealth: operation(describeHealth),
  };
}

function keyOf({ Id = '', Port }: TargetDescription, group: TargetGroupRow): { id: string; port: number } {
  if (!isIPv4(Id)) throw fault('InvalidTarget', `The IP address '${Id}' is not a valid IPv4 address`);
  return { id: Id, port: Port ?? group.port };
}

function inRange(address: string, range: string | undefined): boolean {
  const [base, prefix] = range?.split('/') ?? [];
  if (base === undefined || prefix === undefined) return false;
  const list = new BlockList();
  list.addSubnet(base, Number(prefix));
  return list.check(address);
}

function notRegistered(id: string, port: number): TargetHealthDescription {
  return {
    Target: { Id: id, Port: port },
    HealthCheckPort: String(port),
    TargetHealth: {
      State: 'unused',
      Reason: 'Target.NotRegistered',
      Description: 'Target is not registered to the target group',
    },
  };
}
