/** What a document is for: it decides which elements it must and must not have. */
export type PolicyKind = 'identity' | 'trust' | 'session';

/** A document that breaks the grammar; the message is what MalformedPolicyDocument says. */
export class PolicySyntaxError extends Error {}
