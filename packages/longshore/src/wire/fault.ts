/**
 * An error that a caller is meant to see: AWS's error code, a message in plain words, and further members of the error
 * shape (e.g. `lastLayerPartByteReceived`). The HTTP status comes from the service's model; `status` overrides it.
 */
export class Fault extends Error {
  readonly code: string;
  readonly fields: Readonly<Record<string, unknown>>;
  readonly status: number | undefined;

  constructor(code: string, message: string, fields: Readonly<Record<string, unknown>> = {}, status?: number) {
    super(message);
    this.name = code;
    this.code = code;
    this.fields = fields;
    this.status = status;
  }
}

/** Error codes that every AWS service may answer (https://docs.aws.amazon.com/IAM/latest/APIReference/CommonErrors.html). */
export type CommonErrorCode =
  | 'AccessDeniedException'
  | 'InternalFailure'
  | 'InvalidAction'
  | 'NotImplementedException'
  | 'ServiceUnavailable'
  | 'ThrottlingException'
  | 'ValidationException';

/** `fault` with the codes of one service, for use inside its operations: `const fault = faults<EcsErrorCode>()`. */
export function faults<Code extends string>() {
  return (
    code: Code | CommonErrorCode,
    message: string,
    fields: Readonly<Record<string, unknown>> = {},
    status?: number,
  ): Fault => new Fault(code, message, fields, status);
}
