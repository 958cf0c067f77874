// Kept out of the page so that the content security policy needs no inline script.
window.SwaggerUIBundle({
  url: "/api/openapi.json",
  dom_id: "#docs",
  deepLinking: true,
  docExpansion: "none",
  validatorUrl: null,
  displayRequestDuration: true,
});
