const eventStream = 'answers an event stream, which the codec does not write';
const sharedCode = 'the client picks an error class by the old query code, which two of CloudWatch’s errors share';
const headBody = 'an answer to HEAD has no body to name the error in';
const copyBody = 'S3 answers a copy with 200 before it is done: the client takes an empty body for a failure';
const express = 'the client signs it for s3express, a service of its own';
const objectLambda = 'the client signs it for s3-object-lambda, a service of its own';
const marker = 'botocore’s model says integer, the client’s says string';

/**
 * Where the genuine client and our codec differ, and may: the finding's name, what of it, and why. The sweep fails on any other
 * difference, and on an entry here that no longer differs.
 */
export const differences: Readonly<Record<string, string>> = {
  'logs.GetLogObject full output': eventStream,
  'logs.GetLogObject sparse output': eventStream,
  'logs.StartLiveTail full output': eventStream,
  'logs.StartLiveTail sparse output': eventStream,
  's3.SelectObjectContent full output': eventStream,
  's3.SelectObjectContent sparse output': eventStream,
  'cloudwatch.GetDashboard.DashboardNotFoundError error': sharedCode,
  's3.HeadBucket.NoSuchBucket error': headBody,
  's3.HeadObject.NoSuchKey error': headBody,
  's3.CopyObject sparse output': copyBody,
  's3.UploadPartCopy sparse output': copyBody,
  's3.GetObjectAttributes full output': marker,
  's3.ListParts full output': marker,
  's3.GetObject sparse output': 'the client makes an empty Metadata where no header is',
  's3.HeadObject sparse output': 'the client makes an empty Metadata where no header is',
  's3.PutObject sparse input': 'the client adds a ContentType',
  's3.ListDirectoryBuckets full input': express,
  's3.ListDirectoryBuckets sparse input': express,
  's3.WriteGetObjectResponse full input': objectLambda,
  's3.WriteGetObjectResponse sparse input': objectLambda,
  'events.PutEvents full input':
    'with an EndpointId the client wants SigV4a, which needs a native module; without one it is checked',
};
