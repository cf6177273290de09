import type { AnyOperation } from '../../../wire/service.ts';
import type { Ecr } from '../parts.ts';
import { getAccountSetting, putAccountSetting } from './account-settings.ts';
import { deleteLifecyclePolicy, getLifecyclePolicy, putLifecyclePolicy } from './lifecycle.ts';
import { getLifecyclePolicyPreview, startLifecyclePolicyPreview } from './lifecycle-preview.ts';
import {
  createPullThroughCacheRule,
  deletePullThroughCacheRule,
  describePullThroughCacheRules,
  updatePullThroughCacheRule,
  validatePullThroughCacheRule,
} from './pull-through-rules.ts';
import {
  deregisterPullTimeUpdateExclusion,
  listPullTimeUpdateExclusions,
  registerPullTimeUpdateExclusion,
} from './pull-time-exclusions.ts';
import { listImageReferrers } from './referrers.ts';
import { deleteRegistryPolicy, getRegistryPolicy, putRegistryPolicy } from './registry-policy.ts';
import { describeImageReplicationStatus, describeRegistry, putReplicationConfiguration } from './replication.ts';
import { deleteRepositoryPolicy, getRepositoryPolicy, setRepositoryPolicy } from './repository-policy.ts';
import {
  deleteSigningConfiguration,
  describeImageSigningStatus,
  getSigningConfiguration,
  putSigningConfiguration,
} from './signing.ts';
import { updateImageStorageClass } from './storage-class.ts';
import {
  createRepositoryCreationTemplate,
  deleteRepositoryCreationTemplate,
  describeRepositoryCreationTemplates,
  updateRepositoryCreationTemplate,
} from './templates.ts';

/** The operations of policies, rules, templates and settings. */
export function governanceOperations(ecr: Ecr): Readonly<Record<string, AnyOperation>> {
  return {
    DescribeImageReplicationStatus: describeImageReplicationStatus(ecr),
    DescribeRegistry: describeRegistry(ecr),
    PutReplicationConfiguration: putReplicationConfiguration(ecr),
    CreatePullThroughCacheRule: createPullThroughCacheRule(ecr),
    CreateRepositoryCreationTemplate: createRepositoryCreationTemplate(ecr),
    DeletePullThroughCacheRule: deletePullThroughCacheRule(ecr),
    DeleteRepositoryCreationTemplate: deleteRepositoryCreationTemplate(ecr),
    DescribePullThroughCacheRules: describePullThroughCacheRules(ecr),
    DescribeRepositoryCreationTemplates: describeRepositoryCreationTemplates(ecr),
    UpdatePullThroughCacheRule: updatePullThroughCacheRule(ecr),
    UpdateRepositoryCreationTemplate: updateRepositoryCreationTemplate(ecr),
    ValidatePullThroughCacheRule: validatePullThroughCacheRule(ecr),
    DeleteLifecyclePolicy: deleteLifecyclePolicy(ecr),
    DeleteRegistryPolicy: deleteRegistryPolicy(ecr),
    DeleteRepositoryPolicy: deleteRepositoryPolicy(ecr),
    DeleteSigningConfiguration: deleteSigningConfiguration(ecr),
    DeregisterPullTimeUpdateExclusion: deregisterPullTimeUpdateExclusion(ecr),
    DescribeImageSigningStatus: describeImageSigningStatus(ecr),
    GetAccountSetting: getAccountSetting(ecr),
    GetLifecyclePolicy: getLifecyclePolicy(ecr),
    GetLifecyclePolicyPreview: getLifecyclePolicyPreview(ecr),
    GetRegistryPolicy: getRegistryPolicy(ecr),
    GetRepositoryPolicy: getRepositoryPolicy(ecr),
    GetSigningConfiguration: getSigningConfiguration(ecr),
    ListImageReferrers: listImageReferrers(ecr),
    ListPullTimeUpdateExclusions: listPullTimeUpdateExclusions(ecr),
    PutAccountSetting: putAccountSetting(ecr),
    PutLifecyclePolicy: putLifecyclePolicy(ecr),
    PutRegistryPolicy: putRegistryPolicy(ecr),
    PutSigningConfiguration: putSigningConfiguration(ecr),
    RegisterPullTimeUpdateExclusion: registerPullTimeUpdateExclusion(ecr),
    SetRepositoryPolicy: setRepositoryPolicy(ecr),
    StartLifecyclePolicyPreview: startLifecyclePolicyPreview(ecr),
    UpdateImageStorageClass: updateImageStorageClass(ecr),
  };
}
