// One plotly, loaded once, when the first plot comes near the view.

const script = document.currentScript;
export const assets = new URL(".", script ? script.src : document.baseURI);

let plotly = null;

/** The plotly bundle; the promise is kept because instant navigation removes the script tag but not `window.Plotly`. */
export const load = () =>
  (plotly ??= new Promise((resolve, reject) => {
    const tag = document.createElement("script");
    tag.src = new URL("vendor/plotly-vadose.min.js", assets).href;
    tag.onload = () => {
      window.Plotly.setPlotConfig({
        topojsonURL: new URL("vendor/", assets).href,
        showSendToCloud: false,
        displaylogo: false,
        responsive: true,
        modeBarButtonsToRemove: ["sendDataToCloud", "lasso2d", "select2d"],
      });
      resolve(window.Plotly);
    };
    tag.onerror = () => reject(new Error("the plotting script could not be loaded"));
    document.head.append(tag);
  }));

const documents = new Map();

/** A JSON file of this site, fetched once a visit. */
export const json = (address) => {
  const url = new URL(address, location.href).href;
  if (!documents.has(url)) {
    const answer = fetch(url).then((response) => {
      if (!response.ok) throw new Error(`${response.status} ${url}`);
      return response.json();
    });
    answer.catch(() => documents.delete(url));
    documents.set(url, answer);
  }
  return documents.get(url);
};
