import { type PolicyKind, PolicySyntaxError } from './kinds.ts';

/** Throws PolicySyntaxError where `name` is no action (`*` or `vendor:Name` with wildcards). */
export function checkAction(name: string, kind: PolicyKind): void {
  if (kind === 'trust') {
    if (!/^sts:/i.test(name)) throw new PolicySyntaxError('AssumeRole policy may only specify STS AssumeRole actions.');
    return;
  }
  if (name === '*') return;
  const [vendor = '', action, more] = name.split(':');
  if (action === undefined || vendor === '') {
    throw new PolicySyntaxError('Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.');
  }
  if (more !== undefined || action === '') {
    throw new PolicySyntaxError('Actions/Condition can contain only one colon.');
  }
  if ((kind === 'repository' || kind === 'registry') && vendor.toLowerCase() !== 'ecr')
    throw new PolicySyntaxError(`Action ${name} is none of ECR.`);
  if (!/^[a-zA-Z0-9-]+$/.test(vendor)) throw new PolicySyntaxError(`Vendor ${vendor} is not valid`);
  if (/\s/.test(action)) throw new PolicySyntaxError('Syntax errors in policy.');
}

/** Throws PolicySyntaxError where `name` is neither `*` nor an ARN; variables and wildcards may be inside. */
export function checkResource(name: string): void {
  if (name === '*') return;
  const parts = name.split(':');
  if (parts[0] !== 'arn' || parts.length < 2) {
    throw new PolicySyntaxError(`Resource ${name} must be in ARN format or "*".`);
  }
  if (parts.length < 6 && !name.endsWith('*')) {
    throw new PolicySyntaxError(`Resource vendor must be fully qualified and cannot contain regexes.`);
  }
  const [, partition = '', service = '', region = '', account = '', resource = ''] = parts;
  if (!/^(aws|aws-cn|aws-us-gov|aws-iso.*|\*)$/.test(partition)) {
    throw new PolicySyntaxError(`Partition "${partition}" is not valid for resource "${name}".`);
  }
  if (service === 'iam') {
    if (region) throw new PolicySyntaxError(`IAM resource ${name} cannot contain region information.`);
    if (account && !/^(\d{12}|\*|aws|\$\{.*\})$/.test(account)) {
      throw new PolicySyntaxError(`Account "${account}" is not valid for resource "${name}".`);
    }
    if (resource !== '*' && !iamPaths.some((path) => resource.startsWith(path)) && !/[*?]/.test(resource)) {
      throw new PolicySyntaxError(
        `IAM resource path must either be "*" or start with ${iamPaths.slice(0, -1).join(', ')}, or ${iamPaths.at(-1)}.`,
      );
    }
  }
}

const iamPaths = [
  ...['user/', 'federated-user/', 'role/', 'group/', 'instance-profile/', 'mfa/', 'server-certificate/', 'policy/'],
  ...['sms-mfa/', 'saml-provider/', 'oidc-provider/', 'report/', 'access-report/'],
];

const servicePrincipal = /^[a-z0-9.-]+\.(amazonaws\.com|amazonaws\.com\.cn|amazon\.com|aws\.internal)$/;

/**
 * Throws PolicySyntaxError where a Principal is not of a form that exists. Whether the user or role that an ARN names is
 * there is for the operation to ask.
 */
export function checkPrincipal(type: string, names: readonly string[]): void {
  if (!['AWS', 'Service', 'Federated', 'CanonicalUser'].includes(type)) {
    throw new PolicySyntaxError(`Invalid principal in policy: "${type.toUpperCase()}":"${names[0] ?? ''}"`);
  }
  for (const name of names) {
    const valid =
      type === 'AWS'
        ? name === '*' ||
          /^\d{12}$/.test(name) ||
          /^arn:aws[\w-]*:(iam|sts)::\d{12}:(root|user\/|role\/|assumed-role\/|federated-user\/)/.test(name) ||
          /^A[A-Z0-9]{20}$/.test(name)
        : type !== 'Service' || servicePrincipal.test(name);
    if (!valid) throw new PolicySyntaxError(`Invalid principal in policy: "${type.toUpperCase()}":"${name}"`);
  }
}
