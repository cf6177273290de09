import type { Protocol, ServiceModel } from '../models/model.ts';
import type { WireError } from './codec/http.ts';
import type { DecodeProblem } from './codec/problem.ts';
import { Fault } from './fault.ts';
import type { Violation } from './validate.ts';

/** Families of services that call the same mishap by different names. */
export type Family = 'json' | 'query' | 'ec2' | 's3' | 'rest';

/** The family that a service (`serviceId` as in its model) belongs to when it is spoken to by `protocol`. */
export function familyOf(serviceId: string, protocol: Protocol): Family {
  if (serviceId === 'S3') return 's3';
  if (protocol === 'ec2' || protocol === 'query') return protocol;
  return protocol === 'rest-json' || protocol === 'rest-xml' ? 'rest' : 'json';
}

/** Codes of common errors and their HTTP statuses in each family; a family without its own entry uses the first. */
const common: Readonly<
  Record<string, readonly [status: number, names?: Partial<Record<Family, readonly [code: string, status: number]>>]>
> = {
  AccessDeniedException: [
    400,
    {
      query: ['AccessDenied', 403],
      ec2: ['UnauthorizedOperation', 403],
      s3: ['AccessDenied', 403],
      rest: ['AccessDeniedException', 403],
    },
  ],
  ValidationException: [
    400,
    { query: ['ValidationError', 400], ec2: ['InvalidParameterValue', 400], s3: ['InvalidArgument', 400] },
  ],
  ThrottlingException: [
    400,
    {
      query: ['Throttling', 400],
      ec2: ['RequestLimitExceeded', 503],
      s3: ['SlowDown', 503],
      rest: ['ThrottlingException', 429],
    },
  ],
  InternalFailure: [500, { ec2: ['InternalError', 500], s3: ['InternalError', 500] }],
  ServiceUnavailable: [503, { ec2: ['Unavailable', 503] }],
  NotImplementedException: [501, { s3: ['NotImplemented', 501] }],
  UnknownOperationException: [
    400,
    {
      query: ['InvalidAction', 400],
      ec2: ['InvalidAction', 400],
      s3: ['MethodNotAllowed', 405],
      rest: ['UnknownOperationException', 404],
    },
  ],
  SerializationException: [
    400,
    { query: ['MalformedInput', 400], ec2: ['InvalidParameterValue', 400], s3: ['MalformedXML', 400] },
  ],
  RequestEntityTooLargeException: [
    413,
    { query: ['RequestEntityTooLarge', 413], ec2: ['RequestEntityTooLarge', 413], s3: ['EntityTooLarge', 400] },
  ],
  MissingAuthenticationTokenException: [
    400,
    {
      query: ['MissingAuthenticationToken', 403],
      ec2: ['MissingAuthenticationToken', 403],
      s3: ['AccessDenied', 403],
      rest: ['MissingAuthenticationTokenException', 403],
    },
  ],
  IncompleteSignatureException: [
    400,
    {
      query: ['IncompleteSignature', 403],
      ec2: ['IncompleteSignature', 400],
      s3: ['AuthorizationHeaderMalformed', 400],
      rest: ['IncompleteSignatureException', 403],
    },
  ],
  UnrecognizedClientException: [
    400,
    {
      query: ['InvalidClientTokenId', 403],
      ec2: ['AuthFailure', 401],
      s3: ['InvalidAccessKeyId', 403],
      rest: ['UnrecognizedClientException', 403],
    },
  ],
  InvalidSignatureException: [
    400,
    {
      query: ['SignatureDoesNotMatch', 403],
      ec2: ['AuthFailure', 401],
      s3: ['SignatureDoesNotMatch', 403],
      rest: ['InvalidSignatureException', 403],
    },
  ],
  RequestExpired: [
    400,
    {
      json: ['InvalidSignatureException', 400],
      query: ['SignatureDoesNotMatch', 403],
      s3: ['RequestTimeTooSkewed', 403],
      rest: ['InvalidSignatureException', 403],
    },
  ],
  ExpiredTokenException: [
    400,
    {
      query: ['ExpiredToken', 403],
      ec2: ['RequestExpired', 400],
      s3: ['ExpiredToken', 400],
      rest: ['ExpiredTokenException', 403],
    },
  ],
};

/** Texts that a family has of its own. */
const texts: Readonly<Record<string, string>> = {
  'ec2.UnrecognizedClientException': 'AWS was not able to validate the provided access credentials',
  'ec2.InvalidSignatureException': 'AWS was not able to validate the provided access credentials',
  'ec2.RequestExpired': 'Request has expired.',
  'ec2.ExpiredTokenException': 'Request has expired.',
  's3.UnrecognizedClientException': 'The AWS Access Key Id you provided does not exist in our records.',
  's3.RequestExpired': 'The difference between the request time and the current time is too large.',
  's3.ExpiredTokenException': 'The provided token has expired.',
  's3.MissingAuthenticationTokenException': 'Access Denied',
  'query.MissingAuthenticationTokenException': 'Request is missing Authentication Token',
  'ec2.MissingAuthenticationTokenException': 'Request is missing Authentication Token',
};

/** A fault as the service that answers it would write it: its code, shape and HTTP status. */
export function toWireError(
  fault: Fault,
  model: ServiceModel | undefined,
  family: Family,
  operation?: string,
): WireError {
  const { message, fields } = fault;
  const shapeName = model ? errorShape(model, fault.code, operation) : undefined;
  const known = common[fault.code];
  if (shapeName !== undefined && model) {
    const shape = model.shapes[shapeName]!;
    const status =
      fault.status ??
      (family === 'json' && fault.code === 'AccessDeniedException'
        ? 400
        : (shape.error?.httpStatusCode ?? (shape.fault ? 500 : 400)));
    return { code: shape.error?.code ?? shapeName, shapeName, message, status, fields };
  }
  const [code, status] = known?.[1]?.[family] ?? [fault.code, known?.[0] ?? 400];
  // A service that once spoke awsQuery goes on to name its common errors so, beside their JSON names.
  const queryCode = model?.metadata.awsQueryCompatible ? known?.[1]?.query?.[0] : undefined;
  return {
    code: queryCode ?? code,
    shapeName: code,
    message: texts[`${family}.${fault.code}`] ?? message,
    status: fault.status ?? status,
    fields,
  };
}

const errorShapes = new WeakMap<ServiceModel, Map<string, string>>();

/** The shape of an error code, which is the shape's own name or the name that awsQuery gives it. */
function errorShape(model: ServiceModel, code: string, operation: string | undefined): string | undefined {
  // Several shapes may share a code: the operation's own goes first.
  const own = operation === undefined ? undefined : model.operations[operation]?.errors;
  const shape = own?.find((name) => name === code) ?? own?.find((name) => model.shapes[name]?.error?.code === code);
  if (shape !== undefined) return shape;
  let byCode = errorShapes.get(model);
  if (!byCode) {
    byCode = new Map();
    for (const [name, shape] of Object.entries(model.shapes)) {
      if (!shape.exception) continue;
      if (shape.error?.code) byCode.set(shape.error.code, name);
    }
    for (const [name, shape] of Object.entries(model.shapes)) if (shape.exception) byCode.set(name, name);
    errorShapes.set(model, byCode);
  }
  return byCode.get(code);
}

/** A body that could not be read, as a fault. */
export function decodeFault(problem: DecodeProblem): Fault {
  return new Fault(problem.code ?? 'SerializationException', problem.message, {}, 400);
}

/** Services that answer a broken constraint with a code of their own. */
const validationCodes: Readonly<Record<string, string>> = {
  ECS: 'InvalidParameterException',
  ECR: 'InvalidParameterException',
  'CloudWatch Logs': 'InvalidParameterException',
  EKS: 'InvalidParameterException',
  Batch: 'ClientException',
};

/** What a service says of an input that breaks its model. */
export function validationFault(violations: readonly Violation[], serviceId: string, family: Family): Fault {
  if (family === 'ec2') return ec2Validation(violations);
  const code = validationCodes[serviceId] ?? 'ValidationException';
  if (serviceId === 'ECR') {
    const [first] = violations;
    return new Fault(
      code,
      `Invalid parameter at '${first!.path}' failed to satisfy constraint: '${ecrConstraint(first!)}'`,
      {},
      400,
    );
  }
  const count = `${violations.length} validation error${violations.length === 1 ? '' : 's'} detected: `;
  return new Fault(code, count + violations.map(describe).join('; '), {}, 400);
}

function describe({ path, constraint, value, sensitive }: Violation): string {
  const shown = value === null ? 'Value null' : sensitive ? 'Value' : `Value '${print(value)}'`;
  return `${shown} at '${path}' failed to satisfy constraint: ${constraint.startsWith('satisfy constraint: [') ? `Map keys must ${constraint}` : `Member must ${constraint}`}`;
}

function ecrConstraint({ kind, constraint }: Violation): string {
  if (kind === 'pattern')
    return `must satisfy regular expression '${constraint.slice('satisfy regular expression pattern: '.length)}'`;
  return kind === 'required' ? 'must not be null' : `Member must ${constraint}`;
}

/** EC2 names only the first parameter that is wrong (https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html). */
function ec2Validation(violations: readonly Violation[]): Fault {
  const missing = violations.find(({ kind }) => kind === 'required');
  const { path, kind, value, min, constraint } = missing ?? violations[0]!;
  const name = path.replace(/\.member/g, '');
  if (kind === 'required')
    return new Fault('MissingParameter', `The request must contain the parameter ${name}`, {}, 400);
  if (kind === 'range') {
    const expected = min !== undefined ? `greater than ${min}` : `less than ${constraint.split(' ').at(-1)}`;
    return new Fault(
      'InvalidParameterValue',
      `Value ( ${print(value)} ) for parameter ${name} is invalid. Expecting a value ${expected}.`,
      {},
      400,
    );
  }
  return new Fault(
    'InvalidParameterValue',
    `Value (${print(value)}) for parameter ${name} is invalid. Member must ${constraint}`,
    {},
    400,
  );
}

/** A value as Java prints it: what AWS's texts show. */
function print(value: unknown): string {
  return printPart(value, 0).slice(0, 1024);
}

function printPart(value: unknown, depth: number): string {
  if (depth > 5) return '…';
  if (value instanceof Uint8Array) return 'java.nio.HeapByteBuffer';
  if (value instanceof Date) return value.toISOString();
  if (Array.isArray(value))
    return `[${value
      .slice(0, 100)
      .map((item) => printPart(item, depth + 1))
      .join(', ')}]`;
  if (typeof value === 'object' && value !== null) {
    return `{${Object.entries(value)
      .slice(0, 100)
      .map(([key, item]) => `${key}=${printPart(item, depth + 1)}`)
      .join(', ')}}`;
  }
  return String(value);
}
