'use strict';

// Instant triggers: subscribing an address, checking what arrives there, unsubscribing.

const { ask } = require('./http');
const { isSigned, newSecret } = require('./signature');

/**
 * Subscribe the Zap's address to what `wish` makes of what was entered: {trigger, options, scope}. Each time a Zap is switched on it has a new one, so two Zaps never share a subscription.
 *
 * Its secret is made here. What an earlier try left there, whose answer was lost, is ended first: its secret is lost too.
 */
const subscribe = (wish, how = {}) => async (z, bundle) => {
  const secret = newSecret();
  const { trigger, options, scope } = wish(bundle.inputData);
  const body = {
    target_url: bundle.targetUrl,
    event: trigger,
    options,
    scope,
    ...how,
    corrections: false, // they have a trigger of their own
    secret,
  };
  await forget(z, bundle.targetUrl, trigger);
  const hook = await ask(z, '/v1/hooks', { method: 'POST', body });
  return { id: hook.id, event: hook.event, target_url: hook.target_url, secret };
};

const forget = async (z, address, event) => {
  const there = await ask(z, '/v1/hooks', { params: { target_url: address, event } });
  await Promise.all(there.map(({ id }) => remove(z, id)));
};

const remove = (z, id) => ask(z, `/v1/hooks/${encodeURIComponent(id)}`, { method: 'DELETE' });

/** Also fine where the subscription has ended already, or was never made. */
const unsubscribe = async (z, bundle) => {
  const { id } = bundle.subscribeData || {};
  if (id) await remove(z, id);
  return { id: id || null };
};

/**
 * What arrived, as runs: one for an event or a bundle, one for each event of a digest, none for what is not ours.
 *
 * The signed text is what counts; `cleanedRequest` is Zapier's reading of it, with keys of its own. What is not signed stops
 * the run and not the Zap: whoever learns its address could switch it off otherwise.
 */
const receive = (isOurs) => (z, bundle) => {
  const { secret } = bundle.subscribeData || {};
  if (!isSigned(secret, bundle.rawRequest)) {
    const text = 'This was not signed with the secret of this Zap. If you rotated that in Gradewire, switch the Zap off and on.';
    throw new z.errors.HaltedError(text);
  }
  const message = JSON.parse(bundle.rawRequest.content);
  const events = message.type === 'digest' ? message.events : [message];
  return events.filter((event) => isOurs(event, bundle));
};

module.exports = { receive, subscribe, unsubscribe };
