'use strict';

// Signatures as Standard Webhooks 1.0.0 has them: HMAC-SHA256 of `id.timestamp.body`.

const { createHmac, randomBytes, timingSafeEqual } = require('node:crypto');

/** A new secret, for both sides. */
const newSecret = () => `whsec_${randomBytes(32).toString('base64')}`;

/** A header of a hook, whose name Zapier writes as Http-Webhook-Id. */
const header = (rawRequest, name) => {
  const wanted = [name, `http-${name}`];
  const found = Object.entries(rawRequest.headers || {}).find(([key]) => wanted.includes(key.toLowerCase()));
  return found ? String(found[1]) : '';
};

/**
 * Whether a hook was signed with the secret. While one is rotated there are several signatures, and one that holds is enough.
 *
 * Its age is not looked at: Zapier may hand over a hook minutes after it came, and replays held ones days later.
 */
const isSigned = (secret, rawRequest) => {
  if (!secret || !rawRequest) return false;
  const signed = `${header(rawRequest, 'webhook-id')}.${header(rawRequest, 'webhook-timestamp')}.${rawRequest.content}`;
  const key = Buffer.from(secret.replace(/^whsec_/, ''), 'base64');
  const right = createHmac('sha256', key).update(signed).digest();
  return header(rawRequest, 'webhook-signature')
    .split(' ')
    .filter((part) => part.startsWith('v1,'))
    .map((part) => Buffer.from(part.slice(3), 'base64'))
    .some((signature) => signature.length === right.length && timingSafeEqual(signature, right));
};

module.exports = { isSigned, newSecret };
