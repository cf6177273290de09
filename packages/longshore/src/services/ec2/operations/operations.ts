import type { Ec2Parts, Operations } from '../operation.ts';
import { elasticIpOperations } from './elastic-ips.ts';
import { gatewayOperations } from './internet-gateways.ts';
import { natGatewayOperations } from './nat-gateways.ts';
import { networkInterfaceOperations } from './network-interfaces.ts';
import { regionOperations } from './regions.ts';
import { routeTableAssociationOperations } from './route-table-associations.ts';
import { routeTableOperations } from './route-tables.ts';
import { securityGroupRuleOperations } from './security-group-rules.ts';
import { securityGroupOperations } from './security-groups.ts';
import { subnetOperations } from './subnets.ts';
import { tagOperations } from './tags.ts';
import { vpcDefaultOperations } from './vpc-defaults.ts';
import { vpcOperations } from './vpcs.ts';

/** Every operation that EC2 answers here. */
export function ec2Operations(parts: Ec2Parts): Operations {
  return {
    ...vpcOperations(parts),
    ...subnetOperations(parts),
    ...securityGroupOperations(parts),
    ...securityGroupRuleOperations(parts),
    ...networkInterfaceOperations(parts),
    ...gatewayOperations(parts),
    ...routeTableOperations(parts),
    ...routeTableAssociationOperations(parts),
    ...natGatewayOperations(parts),
    ...elasticIpOperations(parts),
    ...vpcDefaultOperations(parts),
    ...regionOperations(parts),
    ...tagOperations(parts),
  };
}
