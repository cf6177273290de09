/** Which genuine client speaks to which of our services. */
export interface OracleService {
  readonly name: string;
  readonly client: string;
  /** The client's further settings. */
  readonly settings?: Readonly<Record<string, unknown>>;
  /** Members, wherever they are, that the client makes, checks or changes by itself. */
  readonly clientsOwn?: RegExp;
  /** The class in `@aws-sdk/core/protocols` where it is not the client's own choice. */
  readonly protocol?: 'AwsQueryProtocol' | 'AwsSmithyRpcV2CborProtocol';
}

export const oracleServices: readonly OracleService[] = [
  { name: 'ecs', client: '@aws-sdk/client-ecs' },
  { name: 'ecr', client: '@aws-sdk/client-ecr' },
  { name: 'elbv2', client: '@aws-sdk/client-elastic-load-balancing-v2' },
  { name: 'ec2', client: '@aws-sdk/client-ec2' },
  { name: 'iam', client: '@aws-sdk/client-iam' },
  { name: 'sts', client: '@aws-sdk/client-sts' },
  { name: 'logs', client: '@aws-sdk/client-cloudwatch-logs' },
  { name: 'cloudwatch', client: '@aws-sdk/client-cloudwatch' },
  { name: 'cloudwatch', client: '@aws-sdk/client-cloudwatch', protocol: 'AwsSmithyRpcV2CborProtocol' },
  { name: 'cloudwatch', client: '@aws-sdk/client-cloudwatch', protocol: 'AwsQueryProtocol' },
  { name: 'application-autoscaling', client: '@aws-sdk/client-application-auto-scaling' },
  { name: 'events', client: '@aws-sdk/client-eventbridge' },
  {
    name: 's3',
    client: '@aws-sdk/client-s3',
    clientsOwn: /^(Checksum.*|(CopySource)?SSECustomerKey(MD5)?|ContentMD5|CreateBucketConfiguration|Expires)$/,
    settings: {
      forcePathStyle: true,
      requestChecksumCalculation: 'WHEN_REQUIRED',
      responseChecksumValidation: 'WHEN_REQUIRED',
      disableS3ExpressSessionAuth: true,
    },
  },
  { name: 'eks', client: '@aws-sdk/client-eks' },
];
