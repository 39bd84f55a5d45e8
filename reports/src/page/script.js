(function () {
  var note = document.getElementById("copied"), timer;
  function say(text) { note.textContent = text; note.className = "on"; clearTimeout(timer); timer = setTimeout(function () { note.className = ""; }, 2500); }
  function fallback(text) {
    var area = document.createElement("textarea"); area.value = text; document.body.appendChild(area); area.select();
    var done = document.execCommand("copy"); area.remove(); return done;
  }
  document.addEventListener("click", function (event) {
    var mark = event.target.closest("[data-copy]"); if (!mark) return;
    var text = mark.getAttribute("data-copy");
    var done = function () { say("copied: " + text); };
    if (navigator.clipboard) navigator.clipboard.writeText(text).then(done, function () { say(fallback(text) ? "copied: " + text : text); });
    else say(fallback(text) ? "copied: " + text : text);
  });
})();
