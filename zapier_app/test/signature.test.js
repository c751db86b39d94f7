'use strict';

const assert = require('node:assert/strict');
const { createHmac } = require('node:crypto');
const { test } = require('node:test');
const { isSigned, newSecret } = require('../lib/signature');

// The example of the Standard Webhooks specification.
const SECRET = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw';
const HOOK = {
  content: '{"test": 2432232314}',
  headers: {
    'Http-Webhook-Id': 'msg_p5jXN8AQM9LWM0D4loKWxJek',
    'Http-Webhook-Timestamp': '1614265330',
    'Http-Webhook-Signature': 'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=',
  },
};
const signedAs = (signature) => ({ ...HOOK, headers: { ...HOOK.headers, 'Http-Webhook-Signature': signature } });

test("the specification's example is signed, whatever the case and prefix of its headers", () => {
  assert.ok(isSigned(SECRET, HOOK));
  const plain = Object.fromEntries(Object.entries(HOOK.headers).map(([name, value]) => [name.slice(5).toLowerCase(), value]));
  assert.ok(isSigned(SECRET, { ...HOOK, headers: plain }));
});

test('one signature that holds is enough, as while a secret is rotated', () => {
  const [good, other] = [HOOK.headers['Http-Webhook-Signature'], `v1,${Buffer.alloc(32).toString('base64')}`];
  assert.ok(isSigned(SECRET, signedAs(`${other} ${good}`)));
  assert.ok(isSigned(SECRET, signedAs(`v1a,AAAA ${good}`)));
  assert.ok(!isSigned(SECRET, signedAs(other)));
});

test('without a secret, a signature, or with anything changed it is not', () => {
  for (const signature of ['', 'v1,', 'v1a,AAAA', 'v1,AAAA', HOOK.headers['Http-Webhook-Signature'].slice(3)]) {
    assert.ok(!isSigned(SECRET, signedAs(signature)), signature);
  }
  assert.ok(!isSigned(undefined, HOOK));
  assert.ok(!isSigned(SECRET, undefined));
  assert.ok(!isSigned(SECRET, { ...HOOK, content: HOOK.content.replace('2', '3') }));
  for (const name of ['Http-Webhook-Id', 'Http-Webhook-Timestamp']) {
    assert.ok(!isSigned(SECRET, { ...HOOK, headers: { ...HOOK.headers, [name]: '1' } }), name);
  }
});

test('text beyond ASCII is signed as UTF-8', () => {
  const content = '{"summary":"Sharpe 0,8 → 1,2"}';
  const key = Buffer.from(SECRET.slice(6), 'base64');
  const right = createHmac('sha256', key).update(Buffer.from(`msg_p5jXN8AQM9LWM0D4loKWxJek.1614265330.${content}`)).digest('base64');
  assert.ok(isSigned(SECRET, { ...signedAs(`v1,${right}`), content }));
});

test('new secrets are long enough for Standard Webhooks, and never the same', () => {
  const secrets = new Set(Array.from({ length: 20 }, newSecret));
  assert.equal(secrets.size, 20);
  for (const secret of secrets) assert.match(secret, /^whsec_[A-Za-z0-9+/]{43}=$/);
});
