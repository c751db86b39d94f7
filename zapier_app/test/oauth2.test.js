'use strict';

// OAuth2 is prepared and not switched on: its flow against a token endpoint, and that Gradewire takes what it gives.

const assert = require('node:assert/strict');
const { once } = require('node:events');
const http = require('node:http');
const { after, before, test } = require('node:test');
const zapier = require('zapier-platform-core');
const authentication = require('../authentication');
const { appAt, servers, skip } = require('./helpers');

const { App } = appAt('demo');
const run = zapier.createAppTester({ ...App, authentication: authentication.oauth2 });
const asked = [];
let endpoint;

before(async () => {
  endpoint = http.createServer(async (request, response) => {
    let text = '';
    for await (const chunk of request) text += chunk;
    const form = Object.fromEntries(new URLSearchParams(text));
    asked.push(form);
    const token = form.code === 'good' || form.refresh_token === 'next' ? servers.demo.key : null;
    response.writeHead(token ? 200 : 400, { 'Content-Type': 'application/json' });
    response.end(JSON.stringify(token ? { access_token: token, refresh_token: 'next' } : { error: 'invalid_grant' }));
  });
  endpoint.listen(0, '127.0.0.1');
  await once(endpoint, 'listening');
  Object.assign(process.env, {
    CLIENT_ID: 'gradewire',
    CLIENT_SECRET: 'hush',
    OAUTH_AUTHORIZE_URL: 'https://id.example.com/authorize',
    OAUTH_TOKEN_URL: `http://127.0.0.1:${endpoint.address().port}/token`,
  });
});
after(() => endpoint.close());

const { oauth2Config } = authentication.oauth2;

test('people are sent to the identity provider, with what it needs to send them back', { skip }, async () => {
  const inputData = { state: 'abc', redirect_uri: 'https://zapier.com/back' };
  const url = new URL(await run(oauth2Config.authorizeUrl, { inputData, environment: process.env }));
  assert.equal(`${url.origin}${url.pathname}`, 'https://id.example.com/authorize');
  assert.deepEqual(Object.fromEntries(url.searchParams), { client_id: 'gradewire', response_type: 'code', ...inputData });
});

test('a code and a refresh token become an access token, which Gradewire takes', { skip }, async () => {
  const inputData = { code: 'good', redirect_uri: 'https://zapier.com/back', code_verifier: 'v' };
  const got = await run(oauth2Config.getAccessToken, { inputData });
  assert.deepEqual(asked.at(-1), {
    client_id: 'gradewire',
    client_secret: 'hush',
    grant_type: 'authorization_code',
    ...inputData,
  });
  const renewed = await run(oauth2Config.refreshAccessToken, { authData: got });
  assert.equal(asked.at(-1).grant_type, 'refresh_token');
  const me = await run(authentication.oauth2.test, { authData: { access_token: renewed.access_token } });
  assert.equal(me.email, 'demo@localhost');
});

test('a code that is refused is an error, and a token that is refused is renewed', { skip }, async () => {
  await assert.rejects(run(oauth2Config.getAccessToken, { inputData: { code: 'bad' } }), { name: 'AppError' });
  await assert.rejects(run(authentication.oauth2.test, { authData: { access_token: 'stale' } }), { name: 'RefreshAuthError' });
});
