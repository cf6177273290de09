import { matchesWildcard } from '../rules/tag-mutability.ts';

export type StorageClass = 'standard' | 'archive';
export type CountType = 'imageCountMoreThan' | 'sinceImagePushed' | 'sinceImagePulled' | 'sinceImageTransitioned';

export interface LifecycleRule {
  readonly priority: number;
  readonly tagStatus: 'tagged' | 'untagged' | 'any';
  /** For `tagged`: each must match one of an image's tags; `*` stands for anything. */
  readonly patterns: readonly string[];
  /** The class of the images that the rule is about. */
  readonly storageClass: StorageClass;
  readonly countType: CountType;
  readonly countNumber: number;
  /** `transition` is to the archive. */
  readonly action: 'expire' | 'transition';
}

/** Thrown by `parseLifecyclePolicy`; the message is for the caller. */
export class LifecycleFlaw extends Error {
  override readonly name = 'LifecycleFlaw';
}

/** ECR's quota on rules in a policy, and what its grammar lets through (user guide, "Lifecycle policy properties"). */
const mostRules = 50;
const mostWildcards = 4;
const leastArchivedDays = 90;

const actionsOf: Readonly<Record<CountType, readonly string[]>> = {
  imageCountMoreThan: ['expire', 'transition'],
  sinceImagePushed: ['expire', 'transition'],
  sinceImagePulled: ['transition'],
  sinceImageTransitioned: ['expire'],
};

/** Reads a policy; its rules by priority, lowest number first. Throws LifecycleFlaw. */
export function parseLifecyclePolicy(text: string): readonly LifecycleRule[] {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    throw new LifecycleFlaw('the policy is no valid JSON');
  }
  const document = object(json, 'the policy', ['rules']);
  if (!Array.isArray(document.rules) || document.rules.length === 0)
    throw new LifecycleFlaw("object has missing required properties (['rules'])");
  if (document.rules.length > mostRules) throw new LifecycleFlaw(`a policy has at most ${mostRules} rules`);
  const rules = document.rules.map((rule, index) => readRule(rule, `rules[${index}]`));
  rules.sort((a, b) => a.priority - b.priority);
  checkTogether(rules);
  return rules;
}

function readRule(json: unknown, where: string): LifecycleRule {
  const rule = object(json, where, ['rulePriority', 'description', 'selection', 'action']);
  const priority = whole(rule.rulePriority, `${where}.rulePriority`);
  if (rule.description !== undefined && typeof rule.description !== 'string')
    throw new LifecycleFlaw(`${where}.description must be a string`);
  const selection = object(rule.selection, `${where}.selection`, [
    'tagStatus',
    'tagPrefixList',
    'tagPatternList',
    'storageClass',
    'countType',
    'countUnit',
    'countNumber',
  ]);
  const countType = oneOf(selection.countType, Object.keys(actionsOf) as CountType[], `${where}.selection.countType`);
  const action = readAction(rule.action, countType, `${where}.action`);
  const tagStatus = oneOf(selection.tagStatus, ['tagged', 'untagged', 'any'], `${where}.selection.tagStatus`);
  const countNumber = whole(selection.countNumber, `${where}.selection.countNumber`);
  if (countType === 'imageCountMoreThan') {
    if (selection.countUnit !== undefined)
      throw new LifecycleFlaw(`${where}.selection.countUnit must be left out with imageCountMoreThan`);
  } else oneOf(selection.countUnit, ['days'], `${where}.selection.countUnit`);
  if (countType === 'sinceImageTransitioned' && countNumber < leastArchivedDays)
    throw new LifecycleFlaw(
      `${where}.selection.countNumber must be at least ${leastArchivedDays} with sinceImageTransitioned`,
    );
  return {
    priority,
    tagStatus,
    patterns: readPatterns(selection, tagStatus, `${where}.selection`),
    storageClass: readStorageClass(selection.storageClass, countType, `${where}.selection.storageClass`),
    countType,
    countNumber,
    action,
  };
}

function readAction(json: unknown, countType: CountType, where: string): LifecycleRule['action'] {
  const { type, targetStorageClass } = object(json, where, ['type', 'targetStorageClass']);
  const action = oneOf(type, ['expire', 'transition'], `${where}.type`);
  if (!actionsOf[countType].includes(action))
    throw new LifecycleFlaw(`${where}.type '${action}' is not supported with ${countType}`);
  if (action === 'transition') oneOf(targetStorageClass, ['archive'], `${where}.targetStorageClass`);
  else if (targetStorageClass !== undefined)
    throw new LifecycleFlaw(`${where}.targetStorageClass may only be given with transition`);
  return action;
}

function readStorageClass(json: unknown, countType: CountType, where: string): StorageClass {
  if (countType === 'sinceImageTransitioned') return oneOf(json, ['archive'], where);
  return json === undefined ? 'standard' : oneOf(json, ['standard'], where);
}

function readPatterns(selection: Record<string, unknown>, tagStatus: string, where: string): readonly string[] {
  const { tagPrefixList, tagPatternList } = selection;
  if (tagStatus !== 'tagged') {
    if (tagPrefixList !== undefined || tagPatternList !== undefined)
      throw new LifecycleFlaw(`${where}: tagPrefixList and tagPatternList may only be given with tagStatus 'tagged'`);
    return [];
  }
  if ((tagPrefixList === undefined) === (tagPatternList === undefined))
    throw new LifecycleFlaw(`${where}: tagStatus 'tagged' needs either tagPrefixList or tagPatternList`);
  if (tagPrefixList !== undefined) return texts(tagPrefixList, `${where}.tagPrefixList`).map((prefix) => `${prefix}*`);
  const patterns = texts(tagPatternList, `${where}.tagPatternList`);
  const bad = patterns.find((pattern) => (pattern.match(/\*/g)?.length ?? 0) > mostWildcards);
  if (bad !== undefined) throw new LifecycleFlaw(`${where}.tagPatternList: '${bad}' has more than ${mostWildcards} *`);
  return patterns;
}

/** What rules must hold among themselves (user guide, "Lifecycle policy evaluation rules"). */
function checkTogether(rules: readonly LifecycleRule[]): void {
  const seen = new Map<string, number>();
  const last = new Map<StorageClass, number>();
  for (const rule of rules) {
    const before = last.get(rule.storageClass);
    if (before !== undefined)
      throw new LifecycleFlaw(`rule ${before} selects any image: it must have the highest rulePriority`);
    const selection = JSON.stringify([rule.storageClass, rule.tagStatus, [...rule.patterns].sort()]);
    for (const key of [`priority ${rule.priority}`, selection]) {
      const other = seen.get(key);
      if (other !== undefined)
        throw new LifecycleFlaw(
          key === selection
            ? `rules ${other} and ${rule.priority} select the same images`
            : `two rules have the rulePriority ${rule.priority}`,
        );
      seen.set(key, rule.priority);
    }
    if (rule.tagStatus === 'any') last.set(rule.storageClass, rule.priority);
  }
}

/** Does an image with these tags meet the rule's tag requirements? Every entry must match one of the tags. */
export function matchesTags(rule: LifecycleRule, tags: readonly string[]): boolean {
  if (rule.tagStatus === 'any') return true;
  if (rule.tagStatus === 'untagged') return tags.length === 0;
  return rule.patterns.every((pattern) => tags.some((tag) => matchesWildcard(pattern, tag)));
}

function object(value: unknown, where: string, members: readonly string[]): Record<string, unknown> {
  if (value === null || typeof value !== 'object' || Array.isArray(value))
    throw new LifecycleFlaw(`${where} must be an object`);
  const unknown = Object.keys(value).find((name) => !members.includes(name));
  if (unknown !== undefined) throw new LifecycleFlaw(`${where}: '${unknown}' is no property of it`);
  return value as Record<string, unknown>;
}

function whole(value: unknown, where: string): number {
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 1)
    throw new LifecycleFlaw(`${where} must be a whole number of at least 1`);
  return value;
}

function oneOf<T extends string>(value: unknown, among: readonly T[], where: string): T {
  if (!among.includes(value as T)) throw new LifecycleFlaw(`${where} must be one of: ${among.join(', ')}`);
  return value as T;
}

function texts(value: unknown, where: string): readonly string[] {
  if (!Array.isArray(value) || value.length === 0 || !value.every((item) => typeof item === 'string' && item !== ''))
    throw new LifecycleFlaw(`${where} must be a list of at least one string`);
  return value as string[];
}
