'use strict';

// What Gradewire refuses, as the errors that Zapier knows what to do about. 429 is not here: the core turns it into a
// ThrottledError, with the wait that Retry-After asks for, before this is called.

const WAIT_S = 60;
const NOT_ANSWERED = 'Gradewire could not answer just now. Try again in a minute.';

/** Gradewire's own sentence (below 250 characters, which is what Zapier shows), or another where there is none. */
const told = (response, otherwise) => {
  try {
    return JSON.parse(response.content).error.message || otherwise;
  } catch {
    return otherwise;
  }
};

/** Runs after every response; throws for those that say no. */
const translate = (response, z, bundle) => {
  const { status } = response;
  if (status < 400) return response;
  if (status === 401) throw unauthorised(response, z, bundle);
  if (status === 403) {
    throw new z.errors.Error(told(response, 'Your account or plan does not include this.'), 'Forbidden', 403);
  }
  if (status === 503) {
    // The source of the data, or the database, is away for a while: Zapier shows that it waits, and tries again.
    const wait = Number.parseInt(response.getHeader('retry-after'), 10);
    throw new z.errors.ThrottledError(told(response, NOT_ANSWERED), wait > 0 ? wait : WAIT_S);
  }
  if (status >= 500) throw new z.errors.Error(told(response, NOT_ANSWERED), 'ServerError', status);
  throw new z.errors.Error(told(response, `Gradewire refused this (${status}).`), 'InvalidData', status);
};

/** An OAuth2 token is refreshed; a key that once worked is asked for anew, and the runs wait; a new one is simply wrong. */
const unauthorised = (response, z, bundle) => {
  const { apiKey, access_token: token } = bundle.authData || {};
  if (!apiKey && token) return new z.errors.RefreshAuthError();
  if (bundle.meta && bundle.meta.isTestingAuth) {
    const text = 'Your API key is invalid: copy it again, or ask the operator of your Gradewire for another.';
    return new z.errors.Error(text, 'AuthenticationError', 401);
  }
  return new z.errors.ExpiredAuthError(told(response, 'Your API key was revoked. Reconnect your account.'));
};

module.exports = { translate };
