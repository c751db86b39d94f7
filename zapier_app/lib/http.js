'use strict';

// Every request to Gradewire goes through here: its address, the key, and what it answers.

/** Where this app's Gradewire is: the operator sets BASE_URL when the app is built and as its environment at Zapier. */
const baseUrl = () => (process.env.BASE_URL || '').replace(/\/+$/, '');

/** A page of Gradewire for people; where no address is set yet, one that is reserved for examples. */
const pageUrl = (path) => `${baseUrl() || 'https://gradewire.example.com'}${path}`;

const UNSET = 'BASE_URL is not set: the operator of this app must set it to the public address of Gradewire.';
const PLAIN = 'BASE_URL must begin with https://, so that nobody reads the key on the way.';
/** Plain HTTP is for trying out on one machine. */
const SAFE = /^(https:\/\/|http:\/\/(127\.0\.0\.1|localhost)(:|$))/;

/**
 * Ask Gradewire; answers its JSON, or undefined where it has none.
 *
 * `params` that are empty are left out; lists are written with commas. Errors are those of lib/errors.js, and one that says
 * so where Gradewire cannot be reached.
 */
const ask = async (z, path, { method = 'GET', params = {}, body } = {}) => {
  if (!SAFE.test(baseUrl())) throw new z.errors.Error(baseUrl() ? PLAIN : UNSET, 'NotConfigured', 500);
  const request = { url: `${baseUrl()}${path}`, method, params: given(params), body };
  let response;
  try {
    response = await z.request(request);
  } catch (error) {
    if (error.name !== 'FetchError' && error.type !== 'system') throw error;
    throw new z.errors.Error(`${baseUrl()} cannot be reached (${error.code || error.type}). Is Gradewire running?`, 'Unreachable', 503);
  }
  return response.data;
};

const given = (params) =>
  Object.fromEntries(
    Object.entries(params)
      .filter(([, value]) => value !== undefined && value !== null && value !== '' && String(value) !== '')
      .map(([name, value]) => [name, String(value)]),
  );

/** Adds the key, or the token of an OAuth2 connection. Gradewire takes either. */
const authorise = (request, _z, bundle) => {
  const { apiKey, access_token: token } = bundle.authData || {};
  if (apiKey) request.headers['X-Api-Key'] = apiKey;
  else if (token) request.headers.Authorization = `Bearer ${token}`;
  return request;
};

module.exports = { ask, authorise, baseUrl, pageUrl };
