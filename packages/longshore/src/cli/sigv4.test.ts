import assert from 'node:assert/strict';
import { test } from 'node:test';
import { signedHeaders } from './sigv4.ts';

test('signs as AWS’s own test suite does (aws-sig-v4-test-suite, post-vanilla)', () => {
  const headers = signedHeaders({
    host: 'example.amazonaws.com',
    service: 'service',
    region: 'us-east-1',
    headers: {},
    body: '',
    key: { accessKeyId: 'AKIDEXAMPLE', secretAccessKey: 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY' },
    now: Date.UTC(2015, 7, 30, 12, 36, 0),
  });
  assert.equal(
    headers.authorization,
    'AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, SignedHeaders=host;x-amz-date, ' +
      'Signature=5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b',
  );
});
