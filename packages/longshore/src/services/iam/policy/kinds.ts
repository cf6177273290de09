/** What a document is for: it decides which elements it must and must not have. */
export type PolicyKind = 'identity' | 'trust' | 'session' | ResourcePolicyKind;

/** Policies that a thing carries: of one repository (it is the resource, so none is named), or of a whole registry. */
export type ResourcePolicyKind = 'repository' | 'registry';

/** Whether such a document is carried by a resource, and so names principals. */
export function isResourceKind(kind: PolicyKind): kind is ResourcePolicyKind {
  return kind === 'repository' || kind === 'registry';
}

/** A document that breaks the grammar; the message is what MalformedPolicyDocument says. */
export class PolicySyntaxError extends Error {}
