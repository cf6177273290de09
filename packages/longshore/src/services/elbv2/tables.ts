import type { Kysely, Migration } from 'kysely';
import type { Migrations } from '../../state/store.ts';

export interface LoadBalancerRow {
  arn: string;
  name: string;
  dnsName: string;
  scheme: 'internet-facing' | 'internal';
  vpcId: string;
  state: 'provisioning' | 'active' | 'failed';
  /** Why it failed, in plain words. */
  reason: string | null;
  /** JSON: `[groupId]`. */
  securityGroups: string;
  /** JSON: the attributes that were set, by AWS's keys; others have their defaults. */
  attributes: string;
  createdAt: number;
}

/** A subnet that a load balancer stands in, and its interface there. */
export interface ZoneRow {
  loadBalancerArn: string;
  subnetId: string;
  zone: string;
  interfaceId: string;
  privateAddress: string;
  position: number;
}

export interface ListenerRow {
  arn: string;
  loadBalancerArn: string;
  port: number;
  protocol: 'HTTP';
}

export interface RuleRow {
  arn: string;
  listenerArn: string;
  loadBalancerArn: string;
  /** Absent on a listener's default rule, whose conditions are none. */
  priority: number | null;
  /** JSON: conditions as DescribeRules shows them. */
  conditions: string;
  /** JSON: actions as DescribeRules shows them. */
  actions: string;
}

/** Which target groups a rule's action names. */
export interface RuleTargetGroupRow {
  ruleArn: string;
  listenerArn: string;
  loadBalancerArn: string;
  targetGroupArn: string;
}

export interface TargetGroupRow {
  arn: string;
  name: string;
  targetType: 'ip';
  protocol: 'HTTP' | 'HTTPS';
  protocolVersion: 'HTTP1' | 'HTTP2' | 'GRPC';
  port: number;
  vpcId: string;
  /** JSON: HealthCheckDocument. */
  healthCheck: string;
  /** JSON: the attributes that were set. */
  attributes: string;
}

export interface TargetRow {
  targetGroupArn: string;
  id: string;
  port: number;
  /** `all` for an address outside of the VPC. */
  zone: string | null;
  /** 1 from deregistration until no node serves it. */
  draining: number;
  /** When draining began. */
  drainingSince: number | null;
  /** What a node last saw; absent until one did. */
  state: 'initial' | 'healthy' | 'unhealthy' | 'unused' | 'unavailable' | null;
  reason: string | null;
  description: string | null;
}

export interface TagRow {
  arn: string;
  key: string;
  value: string;
}

export interface Elbv2Tables {
  elbv2_load_balancers: LoadBalancerRow;
  elbv2_zones: ZoneRow;
  elbv2_listeners: ListenerRow;
  elbv2_rules: RuleRow;
  elbv2_rule_target_groups: RuleTargetGroupRow;
  elbv2_target_groups: TargetGroupRow;
  elbv2_targets: TargetRow;
  elbv2_tags: TagRow;
}

const loadBalancers: Migration = {
  async up(db: Kysely<unknown>): Promise<void> {
    const { schema } = db;
    await schema
      .createTable('elbv2_load_balancers')
      .addColumn('arn', 'text', (c) => c.primaryKey())
      .addColumn('name', 'text', (c) => c.notNull().unique())
      .addColumn('dnsName', 'text', (c) => c.notNull().unique())
      .addColumn('scheme', 'text', (c) => c.notNull())
      .addColumn('vpcId', 'text', (c) => c.notNull())
      .addColumn('state', 'text', (c) => c.notNull())
      .addColumn('reason', 'text')
      .addColumn('securityGroups', 'text', (c) => c.notNull())
      .addColumn('attributes', 'text', (c) => c.notNull())
      .addColumn('createdAt', 'bigint', (c) => c.notNull())
      .execute();
    await schema
      .createTable('elbv2_zones')
      .addColumn('loadBalancerArn', 'text', (c) => c.notNull())
      .addColumn('subnetId', 'text', (c) => c.notNull())
      .addColumn('zone', 'text', (c) => c.notNull())
      .addColumn('interfaceId', 'text', (c) => c.notNull())
      .addColumn('privateAddress', 'text', (c) => c.notNull())
      .addColumn('position', 'integer', (c) => c.notNull())
      .addPrimaryKeyConstraint('elbv2_zones_key', ['loadBalancerArn', 'subnetId'])
      .execute();
    await schema
      .createTable('elbv2_listeners')
      .addColumn('arn', 'text', (c) => c.primaryKey())
      .addColumn('loadBalancerArn', 'text', (c) => c.notNull())
      .addColumn('port', 'integer', (c) => c.notNull())
      .addColumn('protocol', 'text', (c) => c.notNull())
      .addUniqueConstraint('elbv2_listeners_port', ['loadBalancerArn', 'port'])
      .execute();
    await schema
      .createTable('elbv2_rules')
      .addColumn('arn', 'text', (c) => c.primaryKey())
      .addColumn('listenerArn', 'text', (c) => c.notNull())
      .addColumn('loadBalancerArn', 'text', (c) => c.notNull())
      .addColumn('priority', 'integer')
      .addColumn('conditions', 'text', (c) => c.notNull())
      .addColumn('actions', 'text', (c) => c.notNull())
      .execute();
    await schema.createIndex('elbv2_rules_listener').on('elbv2_rules').column('listenerArn').execute();
    await schema
      .createTable('elbv2_rule_target_groups')
      .addColumn('ruleArn', 'text', (c) => c.notNull())
      .addColumn('listenerArn', 'text', (c) => c.notNull())
      .addColumn('loadBalancerArn', 'text', (c) => c.notNull())
      .addColumn('targetGroupArn', 'text', (c) => c.notNull())
      .addPrimaryKeyConstraint('elbv2_rule_target_groups_key', ['ruleArn', 'targetGroupArn'])
      .execute();
    await schema
      .createIndex('elbv2_rule_target_groups_group')
      .on('elbv2_rule_target_groups')
      .column('targetGroupArn')
      .execute();
    await schema
      .createTable('elbv2_target_groups')
      .addColumn('arn', 'text', (c) => c.primaryKey())
      .addColumn('name', 'text', (c) => c.notNull().unique())
      .addColumn('targetType', 'text', (c) => c.notNull())
      .addColumn('protocol', 'text', (c) => c.notNull())
      .addColumn('protocolVersion', 'text', (c) => c.notNull())
      .addColumn('port', 'integer', (c) => c.notNull())
      .addColumn('vpcId', 'text', (c) => c.notNull())
      .addColumn('healthCheck', 'text', (c) => c.notNull())
      .addColumn('attributes', 'text', (c) => c.notNull())
      .execute();
    await schema
      .createTable('elbv2_targets')
      .addColumn('targetGroupArn', 'text', (c) => c.notNull())
      .addColumn('id', 'text', (c) => c.notNull())
      .addColumn('port', 'integer', (c) => c.notNull())
      .addColumn('zone', 'text')
      .addColumn('draining', 'integer', (c) => c.notNull())
      .addColumn('drainingSince', 'bigint')
      .addColumn('state', 'text')
      .addColumn('reason', 'text')
      .addColumn('description', 'text')
      .addPrimaryKeyConstraint('elbv2_targets_key', ['targetGroupArn', 'id', 'port'])
      .execute();
    await schema
      .createTable('elbv2_tags')
      .addColumn('arn', 'text', (c) => c.notNull())
      .addColumn('key', 'text', (c) => c.notNull())
      .addColumn('value', 'text', (c) => c.notNull())
      .addPrimaryKeyConstraint('elbv2_tags_key', ['arn', 'key'])
      .execute();
  },
};

export const elbv2Migrations: Migrations = { 'elbv2-001-load-balancers': loadBalancers };
