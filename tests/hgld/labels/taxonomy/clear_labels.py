"""Labels of classes that are clear to a person, by what they are; not read from any data."""

_CLEAR = """
agricultural land: olive grove; plantation; ranch; rice terraces; stud farm; tea plantation;
  vineyard; winery
air transportation: air force base; airport terminal; control tower; international airport;
  military airbase; spaceport
amusement park: dark ride; funfair; roller coaster; theme park; water park; water slide
aqueduct: ancient Roman aqueduct
archeological site: ancient Egyptian temple; Iron Age hillfort; kurgan; Maya site; oppidum;
  Roman camp; Roman fort; Roman villa; tumulus
artwork: graffiti; mosaic; mural; painting by Rembrandt; public artwork
ask: Art Nouveau building; belvedere; block of flats; canyon; concert venue; Confucian temple;
  cultural centre; drainage basin; embassy; exhibition hall; fire station; gas station; hôtel
  particulier; industrial park; Jain temple; karst spring; lookout; mausoleum; music hall; natural
  arch; observation deck; pumping station; residential complex; Roman temple; sea stack; supreme
  court; Taoist temple; tourism office; triumphal arch; viewpoint
bath: hot spring; Roman thermae
beach: bathing beach; sandy beach; surf spot
boat: Gato-class submarine; Iowa-class battleship; lake freighter; Liberty ship; lightship;
  museum ship; paddle steamer; sailing ship; ship wreck; Type VII submarine
bridge: bridge over the Danube; cable-stayed bridge; double-deck bridge; lift bridge; pedestrian
  bridge; road bridge-tunnel; stone arch bridge; Warren truss bridge
buddhist temple: Buddhist stupa; Chinese Buddhist temple; Tibetan Buddhist monastery; Zen temple
cable transportation: aerial tramway; gondola lift; inclined plane
castle / fort: artillery fort; castle ruin; Martello tower; medieval castle; motte-and-bailey
  castle; Renaissance castle; water castle
cave: lava tube; sinkhole
cemetery: catacombs; Jewish cemetery; mass grave; military cemetery; ossuary; passage grave;
  rock-cut tomb
church: Anglican or episcopal cathedral; Byzantine church; chapel of ease; former Roman Catholic
  church building; fortified church; rotunda; Trappist abbey; Wallfahrtskirche; wayside chapel
city: bastide; Chinatown; city of Japan; city with powiat rights; gated community; market town;
  neighborhood of Barcelona; prefecture-level city; quarter of Berlin; seaside resort; spa town;
  special ward of Japan; suburb of Melbourne; town centre; town in the United States
cliff: sea cliff
cross: stations of the Cross; wayside cross
dam: arch-gravity dam
factory: brewery; cotton mill; lime kiln; oil refinery; paper mill; salt works; sawmill; steel
  mill; whisky distillery
festival: carnival; film festival; trade fair
fountain: drinking fountain
garden: Japanese garden; orangery; palm house
gate: city gate; lock gate
government building: city hall; courthouse; parliament building; police station; post office
  building
harbor: breakwater; dry dock; ferry terminal; fishing port; marina; naval base; pier; shipyard
hindu temple: Hindu temple complex; Shaiva temple
hospital: leper colony; psychiatric hospital; sanatorium
hotel: mountain hut; mountain shelter
house: bungalow; country house; Gründerzeit villa; half-timbered house; hunting lodge; manor
  house; tenement
ignore: aspect of history; astronomical clock; Bien de Interés Cultural; church bell; cultural
  heritage monument in Germany; district of Austria; film; football club; gmina; golf club; Grade
  I listed building; listed building in the United Kingdom; monument historique; municipality of
  Germany; National Historic Landmark; opera company; parish of the Catholic Church; pipe organ;
  recurring event; religious order; Rijksmonument; rural municipality of Estonia; state of
  Germany; tennis tournament; theatre company; township of China; urban municipality of Slovenia;
  Wikimedia list article
island: barrier island; islet; lake island; tidal island; uninhabited island
lake: artificial lake; crater lake; oxbow lake; volcanic crater lake
library: national library
market: covered market; fish market; market hall; street market
memorial: cenotaph; Holocaust memorial; memorial plaque; obelisk; Soviet war memorial;
  Stolperstein; war memorial
mine: coal mine; open-pit mine
monastery: Benedictine monastery; Carthusian monastery; former priory; Franciscan friary; Greek
  Orthodox monastery
mosque: dargah; Ottoman mosque; Sufi shrine
mountain: col; drainage divide; eight-thousander; moraine; mountain range in Asia; u-shaped
  valley
museum: art gallery; museum of fine arts; railway museum; science museum
observatory: planetarium; radio telescope
ocean area : bay of the Mediterranean; coral reef; estuary; sea cave; shoal
palace: Baroque palace; lustschloss; presidential palace; royal residence
parks: Area of Outstanding Natural Beauty; biosphere reserve; bird sanctuary; Category II
  National Park; country park in Hong Kong; dog park; IUCN category II National Park; national
  preserve; national seashore; natural monument in the Czech Republic; nature reserve in Germany;
  Provincial Park in British Columbia; regional nature park of France; Site of Special Scientific
  Interest; state forest; UNESCO Global Geopark; wilderness study area
power plant: hydroelectric power plant; nuclear power plant; wind farm
prison: former prison; prisoner-of-war camp; state prison
pyramid: step pyramid
rail transportation: elevated railway; heritage railway; metro line; narrow-gauge railway; rack
  railway; S-Bahn station; steam locomotive; steam locomotive class; tram depot
restaurant: brewpub; coffeehouse; fast food restaurant; nightclub; restaurant chain; wine bar
river: confluence; rapids; tributary; waterway
road: cul-de-sac; drag strip; Formula One circuit; Interstate Highway System; motorway tunnel;
  parkway; pedestrian zone; promenade; scenic byway
school: business school; law school; liberal arts college; madrasa; madrasa complex; monastic
  school; public university in the United States; Realschule; Volksschule
sculpture: bronze sculpture; bust; colossal statue; equestrian statue; group of sculptures;
  statue of the Virgin Mary; victory column
settlement: aul; census-designated place; ghost town; human settlement in Germany; khutor;
  populated place
shinto shrine: Hachiman shrine; Shinto shrine complex
shopping: Apple Store; bookstore; department store building; shopping street
skyscraper: high-rise building; office skyscraper
sports venue: baseball park; bullring; cricket ground; football stadium; hippodrome; ice hockey
  arena; ice rink; national stadium; Olympic venue; race course; racecourse; ski jumping hill
square: market square; town square
stairs: escalator; outdoor stairway; step street
stone: boundary stone; chambered cairn; erratic; menhir; runestone; stone circle
swimming pool: aquatics centre; indoor swimming pool
synagogue: great synagogue; wooden synagogue
theatre: cinema; multiplex cinema; opera house; puppet theatre; Roman theatre
tower: Bismarck tower; church tower; fire lookout tower; free-standing bell tower; television
  tower; water tower
trail: boardwalk; hiking trail; long-distance cycling path; nature trail; via ferrata; Way of
  St. James
tree: arboretum; remarkable tree
underground infrastructure: air-raid shelter; bunker; cave church; crypt; pedestrian tunnel;
  rock-hewn church
village: barangay of the Philippines; commune déléguée; commune nouvelle; commune of Italy;
  frazione; hamlet in Czechia; selo; village of Japan
volcano: caldera; stratovolcano
wetland: peat bog; Ramsar site; salt marsh
windmill: gristmill; smock mill; tide mill
zoo: bird park; butterfly house; public aquarium; safari park
"""

CLEAR = {
    what: labels.split("; ")
    for what, _, labels in (
        line.partition(": ") for line in _CLEAR.strip().replace("\n  ", " ").splitlines()
    )
}
