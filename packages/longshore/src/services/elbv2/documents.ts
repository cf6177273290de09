import type {
  ListenerDocument,
  LoadBalancersDocument,
  NamesDocument,
  RuleDocument,
  TargetDocument,
  TargetGroupDocument,
} from '../../protocol/documents.ts';
import type { DocumentSource } from '../contract.ts';
import { allAttributes, loadBalancerAttributes, targetGroupAttributes } from './attributes/attributes.ts';
import type { Elbv2Parts } from './operation.ts';
import { actionDocument } from './rules/actions.ts';
import { conditionDocument } from './rules/conditions.ts';
import type { TargetRow } from './tables.ts';

/** What nodes are told of load balancers: all of them with listeners, rules, target groups and targets. One query a table. */
export function loadBalancersSource({ store }: Elbv2Parts): DocumentSource<LoadBalancersDocument> {
  return {
    kind: 'load-balancers',
    topics: ['elbv2.load-balancer', 'elbv2.listener', 'elbv2.target-group', 'elbv2.target'],
    async compose() {
      const { db } = store;
      const [loadBalancers, zones, listeners, rules, uses, groups, targets] = await Promise.all([
        db.selectFrom('elbv2_load_balancers').selectAll().orderBy('arn').execute(),
        db.selectFrom('elbv2_zones').select(['loadBalancerArn', 'interfaceId']).orderBy('position').execute(),
        db.selectFrom('elbv2_listeners').selectAll().orderBy('port').execute(),
        db.selectFrom('elbv2_rules').selectAll().execute(),
        db.selectFrom('elbv2_rule_target_groups').select(['loadBalancerArn', 'targetGroupArn']).distinct().execute(),
        db.selectFrom('elbv2_target_groups').selectAll().orderBy('arn').execute(),
        db.selectFrom('elbv2_targets').selectAll().orderBy('id').orderBy('port').execute(),
      ]);
      const zonesOf = Map.groupBy(zones, (row) => row.loadBalancerArn);
      const listenersOf = Map.groupBy(listeners, (row) => row.loadBalancerArn);
      const rulesOf = Map.groupBy(rules, (row) => row.listenerArn);
      const targetsOf = Map.groupBy(targets, (row) => row.targetGroupArn);
      const usesOf = Map.groupBy(uses, (row) => row.loadBalancerArn);
      const groupDocuments = new Map(
        groups.map((group): [string, TargetGroupDocument] => [
          group.arn,
          {
            arn: group.arn,
            protocol: group.protocol,
            protocolVersion: group.protocolVersion,
            attributes: allAttributes(targetGroupAttributes, JSON.parse(group.attributes)),
            healthCheck: JSON.parse(group.healthCheck),
            targets: (targetsOf.get(group.arn) ?? []).map(targetDocument),
          },
        ]),
      );
      return {
        loadBalancers: loadBalancers.map((row) => ({
          arn: row.arn,
          name: row.name,
          type: 'application',
          dnsName: row.dnsName,
          scheme: row.scheme,
          vpcId: row.vpcId,
          interfaceIds: (zonesOf.get(row.arn) ?? []).map((zone) => zone.interfaceId),
          attributes: allAttributes(loadBalancerAttributes, JSON.parse(row.attributes)),
          listeners: (listenersOf.get(row.arn) ?? []).map(
            ({ arn, port, protocol }): ListenerDocument => ({
              arn,
              port,
              protocol,
              rules: (rulesOf.get(arn) ?? [])
                .toSorted((a, b) => (a.priority ?? Infinity) - (b.priority ?? Infinity))
                .map(
                  (rule): RuleDocument => ({
                    arn: rule.arn,
                    conditions: JSON.parse(rule.conditions).map(conditionDocument),
                    action: actionDocument(JSON.parse(rule.actions)),
                  }),
                ),
            }),
          ),
          targetGroups: (usesOf.get(row.arn) ?? [])
            .map((use) => groupDocuments.get(use.targetGroupArn))
            .filter((group) => group !== undefined),
        })),
      };
    },
  };
}

function targetDocument({ id, port, draining, state }: TargetRow): TargetDocument {
  return { id, port, draining: draining === 1, ...(state === null ? {} : { knownState: state }) };
}

/**
 * The names of load balancers for tasks' resolvers. A load balancer answers at its first interface's private address: nodes
 * serve no other yet (see LoadBalancerDocument.interfaceIds), and a name must not lead where nothing answers.
 */
export function namesSource({ store }: Elbv2Parts): DocumentSource<NamesDocument> {
  return {
    kind: 'names',
    topics: ['elbv2.load-balancer'],
    async compose() {
      const rows = await store.db
        .selectFrom('elbv2_load_balancers')
        .innerJoin('elbv2_zones', 'elbv2_zones.loadBalancerArn', 'elbv2_load_balancers.arn')
        .select(['dnsName', 'privateAddress'])
        .where('position', '=', 0)
        .orderBy('dnsName')
        .execute();
      return {
        records: rows.map(({ dnsName, privateAddress }) => ({
          name: dnsName,
          type: 'A',
          ttlSeconds: 60,
          addresses: [privateAddress],
        })),
      };
    },
  };
}
